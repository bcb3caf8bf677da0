"""Read both sides from the nodes: what the packages generated, and what labctl placed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from labctl.core.errors import LabError
from labctl.drift import hoconkeys, nginxconf, prosodyconf, unitfiles
from labctl.drift.sections import Sections, SettingDifference, compare
from labctl.images.bakeinput import PLACEHOLDER_HOST
from labctl.node.reach import reach
from labctl.node.script import Command, sectioned
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.roles import PROSODY, role_facts, runs, units_of
from labctl.topology.units import Config, Syntax, When

KEPT = "/var/lib/labctl/packaged"
"""The folder in which a bake keeps what the packages generated (packer/scripts/keep.sh)."""

DOMAIN, JMS = "DOMAIN", "JMS-ADDRESS"
"""Placeholders for the lab's domain and the JMS's address, on both sides."""

SHIPPED, PLACED = "/usr/lib/systemd/system", "/etc/systemd/system"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why an area was not compared; `expected` if there is nothing to compare on such a node."""

    reason: str
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The result for one node: differences, and areas that could not be compared, with reasons."""

    node: str
    differences: tuple[SettingDifference, ...] = ()
    skipped: Mapping[str, Skipped] = field(default_factory=dict)


def read_all(lab: Lab) -> list[Reading]:
    """Compare both sides on every node.

    An area whose text cannot be read is skipped, and the others are compared.  Errors: LabError if
    a node does not answer.
    """
    nodes = {node.name: node for node in lab.topology.nodes}
    answers = on_all(nodes, lambda name: _ask(lab, nodes[name]))
    # Not in the threads: pyhocon keeps what it reads in one global place.
    return [_compare(lab.topology, node, answers[name]) for name, node in nodes.items()]


@dataclass(frozen=True, slots=True)
class _Collected:
    """A line of settings per side, or the reason why there is none."""

    output: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _NodeTexts:
    """A node's texts: files by path, what Prosody's collector said, unit files by unit and path."""

    texts: Mapping[str, str | None] = field(default_factory=dict)
    prosody: _Collected = field(default_factory=lambda: _Collected())
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _ask(lab: Lab, node: Node) -> _NodeTexts:
    if not _compared_units(node):
        return _NodeTexts()
    return _NodeTexts(
        _fetch(lab, node),
        _run_prosody(lab, node) if runs(node, PROSODY) else _Collected(),
        _fetch_units(lab, node),
    )


def _compared_units(node: Node) -> tuple[str, ...]:
    """Units whose files come from packages; those of vnodes are labctl's own."""
    shipped = role_facts(node.role).units
    return tuple(unit.stem for unit in shipped if unit.when is not When.EACH_VNODE)


def _compare(topology: Topology, node: Node, answer: _NodeTexts) -> Reading:
    if not _compared_units(node):
        why = "the packages generate no configuration for visitor Prosodies"
        return Reading(node.name, skipped={"prosody": Skipped(why, expected=True)})
    differences: list[SettingDifference] = []
    skipped: dict[str, Skipped] = {}
    for area, work in _areas(topology, node, answer):
        try:
            differences += work()
        except LabError as error:
            # One line that cannot be read must not hide what changed in the other areas.
            reason = error.message.removeprefix(f"Node '{node.name}': ").rstrip(".")
            skipped[area] = Skipped(reason)
    return Reading(node.name, tuple(differences), skipped)


def _areas(
    topology: Topology, node: Node, answer: _NodeTexts
) -> Iterator[tuple[str, Callable[[], list[SettingDifference]]]]:
    """Each area of the node and how it is compared, which raises LabError if it cannot be read."""
    for config, *paths in _hocon_and_nginx(topology, node):
        yield config.area, partial(_compare_files, node, config, *paths, texts=answer.texts)
    if runs(node, PROSODY):
        yield "prosody", partial(_compare_prosody, node, answer.prosody)
    yield "units", partial(_compare_units, answer.units)


def _compare_files(
    node: Node, config: Config, packaged: str, placed: str, *, texts: Mapping[str, str | None]
) -> list[SettingDifference]:
    parse = _parser_of(config.syntax)
    sides = []
    for path in (packaged, placed):
        text = texts[path]
        if text is None:
            raise LabError(f"Node '{node.name}': '{path}' is not there.")
        sides.append(parse(text, source=f"Node '{node.name}': '{path}'"))
    return compare(config.area, *sides)


def _parser_of(syntax: Syntax) -> Callable[..., Sections]:
    match syntax:
        case Syntax.HOCON:
            return hoconkeys.parse_sections
        case Syntax.NGINX:
            return nginxconf.parse_sections
        case Syntax.PROSODY:
            return prosodyconf.parse_sections
        case _:
            assert_never(syntax)


def _hocon_and_nginx(topology: Topology, node: Node) -> Iterator[tuple[Config, str, str]]:
    """Each file that is compared as it is, the path where the bake kept it, and its own path.

    Prosody's configuration is a program that has to be run: `_run_prosody`.
    """
    for config in (config for unit in units_of(node) for config in unit.configs):
        if config.packaged and config.syntax is not Syntax.PROSODY:
            host = config.path.format(domain=PLACEHOLDER_HOST)
            yield config, f"{KEPT}{host}", config.path.format(domain=topology.domain)


def _fetch(lab: Lab, node: Node) -> dict[str, str | None]:
    """The texts of the files by path, with placeholders; None for a file that does not exist."""
    paths = [path for _, *both in _hocon_and_nginx(lab.topology, node) for path in both]
    if not paths:
        return {}
    show = '[ ! -f "$file" ] || { section "$file"; cat "$file"; }'
    script = f"for file in {shlex.join(paths)}; do {show}; done"
    found = reach(lab).run(node.name, sectioned(script), sudo=True).sections
    return {
        path: with_placeholders(found.text(path), lab.topology) if path in found else None
        for path in paths
    }


def _run_prosody(lab: Lab, node: Node) -> _Collected:
    """What the collector says on the node: one line of settings per side."""
    main = PROSODY.configs[0].path
    packaged = [main, f"/etc/prosody/conf.avail/{PLACEHOLDER_HOST}.cfg.lua"]
    words = [KEPT, *(f"{KEPT}{path}" for path in packaged), "--", "", main]
    script = prosodyconf.SCRIPT.read_text(encoding="utf-8")
    command = Command(("lua5.4", "-", *words))
    answer = reach(lab).run(node.name, command, sudo=True, stdin=script, check=False)
    if answer.code != 0:
        said = answer.errors.strip().partition("\n")[0].removeprefix("lua5.4: ")
        return _Collected(problem=said or f"lua5.4 ended with exit status {answer.code}")
    return _Collected(with_placeholders(answer.output, lab.topology))


def _compare_prosody(node: Node, collected: _Collected) -> list[SettingDifference]:
    source = f"Node '{node.name}': Prosody's configuration"
    if collected.problem:
        raise LabError(f"{source} cannot be read: {collected.problem}.")
    lines = collected.output.splitlines()
    if len(lines) != 2:
        raise LabError(f"{source}: expected two lines, got {len(lines)}.")
    return compare("prosody", *(prosodyconf.parse_sections(it, source=source) for it in lines))


def _fetch_units(lab: Lab, node: Node) -> dict[str, dict[str, str]]:
    """Unit -> path -> text, for the packages' unit files and all files that add to them."""
    script = (
        f"cd /; for unit in {' '.join(_compared_units(node))}; do for file in"
        f" {SHIPPED}/$unit.service {PLACED}/$unit.service {PLACED}/$unit.service.d/*.conf; do"
        ' [ ! -f "$file" ] || { section "$unit" "$file"; cat "$file"; }; done; done'
    )
    texts: dict[str, dict[str, str]] = {}
    sections = reach(lab).run(node.name, sectioned(script), sudo=True).sections
    for title in sections:
        unit, _, path = title.partition(" ")
        texts.setdefault(unit, {})[path] = sections.text(title)
    return texts


def _compare_units(texts: Mapping[str, Mapping[str, str]]) -> list[SettingDifference]:
    """Compare units as the packages have them with the same units after labctl's additions."""
    found: list[SettingDifference] = []
    for unit, files in texts.items():
        full = [text for path, text in files.items() if path.endswith(f"{PLACED}/{unit}.service")]
        added = [text for path, text in files.items() if "/etc/" in path and ".d/" in path]
        original: Sequence[str] = [text for path, text in files.items() if SHIPPED in path]
        name = f"{unit}.service"
        found += compare(
            "units",
            unitfiles.parse_sections(name, original) or {(name,): {}},
            unitfiles.parse_sections(name, [*(full or original), *added]) or {(name,): {}},
        )
    return found


def with_placeholders(text: str, topology: Topology) -> str:
    """The text with the names of the image and of the lab replaced by placeholders."""
    for name in (PLACEHOLDER_HOST, topology.domain):
        text = text.replace(name, DOMAIN)
    return text.replace(str(topology.jms.address), JMS)
