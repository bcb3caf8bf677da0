"""Reading both sides from the nodes: what the packages generated, and what labctl placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from labctl.bakeinput import PLACEHOLDER_HOST
from labctl.drift import hoconkeys, nginxconf, prosodyconf, unitfiles
from labctl.drift.sections import Difference, Sections, compare
from labctl.errors import LabError
from labctl.model import Node, Role, Topology
from labctl.ssh import run_on
from labctl.workdir import Workdir

KEPT = "/var/lib/labctl/packaged"
"""Where the bake keeps what the packages generated (packer/scripts/keep.sh)."""

DOMAIN, JMS = "DOMAIN", "JMS-ADDRESS"
"""What stands for the lab's domain and for the JMS's address on both sides."""

_MARK = "=== labctl-drift "
_CAT = 'printf "\\n%s%s\\n" {mark!r} {name!r}; cat {path!r} 2>/dev/null || echo {missing!r}'
_MISSING = "(there is no such file)"

SHIPPED, PLACED = "/usr/lib/systemd/system", "/etc/systemd/system"
UNITS = {
    Role.JMS: ("prosody", "nginx", "jicofo", "jitsi-videobridge2", "coturn"),
    Role.JVB: ("jitsi-videobridge2",),
    Role.VISITORS: (),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one node: differences, and things that could not be compared, with reasons."""

    node: str
    differences: tuple[Difference, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)


def read_all(workdir: Workdir, topology: Topology) -> list[Reading]:
    """Compare both sides on every node.

    Errors: LabError when a node does not answer, or holds a file that its program could not
    read either.
    """
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda node: _ask(workdir, topology, node), topology.nodes))
    # Not in the threads: pyhocon keeps what it reads in one place for the whole process.
    return [
        _compare(topology, node, answer)
        for node, answer in zip(topology.nodes, answers, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a node said: texts by path, Prosody's settings as JSON, unit files by unit and path."""

    texts: Mapping[str, str | None] = field(default_factory=dict)
    prosody: str = ""
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _ask(workdir: Workdir, topology: Topology, node: Node) -> _Answer:
    if node.role is Role.VISITORS:
        return _Answer()
    return _Answer(
        _fetch(workdir, topology, node),
        _run_prosody(workdir, topology, node) if node.role is Role.JMS else "",
        _fetch_units(workdir, node),
    )


def _compare(topology: Topology, node: Node, answer: _Answer) -> Reading:
    if node.role is Role.VISITORS:
        why = "the packages generate no configuration of visitor Prosodies"
        return Reading(node.name, skipped={"prosody": why})
    texts = answer.texts
    differences: list[Difference] = []
    skipped: dict[str, str] = {}
    for area, packaged, placed in _hocon_and_nginx(topology, node):
        old, new = texts[packaged], texts[placed]
        if old is None or new is None:
            lacking = packaged if old is None else placed
            skipped[area] = f"'{lacking}' is not there"
            continue
        parse = nginxconf.parse_sections if area.startswith("nginx") else hoconkeys.parse_sections
        source = f"Node '{node.name}': '{{}}'"
        differences += compare(
            area,
            parse(old, source=source.format(packaged)),
            parse(new, source=source.format(placed)),
        )
    if node.role is Role.JMS:
        differences += compare("prosody", *_prosody(node, answer.prosody))
    differences += _units(answer.units)
    return Reading(node.name, tuple(differences), skipped)


def _hocon_and_nginx(topology: Topology, node: Node) -> Iterator[tuple[str, str, str]]:
    """Area, packaged file and placed file."""
    pairs = [("videobridge", "/etc/jitsi/videobridge/jvb.conf")]
    if node.role is Role.JMS:
        pairs += [("jicofo", "/etc/jitsi/jicofo/jicofo.conf"), ("nginx", "/etc/nginx/nginx.conf")]
        site = "/etc/nginx/sites-available/{}.conf"
        host = site.format(PLACEHOLDER_HOST)
        yield "nginx-site", f"{KEPT}{host}", site.format(topology.domain)
    for area, path in pairs:
        yield area, f"{KEPT}{path}", path


def _fetch(workdir: Workdir, topology: Topology, node: Node) -> dict[str, str | None]:
    """The texts of the files by path, with placeholders; None for a file that is not there."""
    paths = [path for _, *both in _hocon_and_nginx(topology, node) for path in both]
    script = "\n".join(
        _CAT.format(mark=_MARK, name=path, path=path, missing=_MISSING) for path in paths
    )
    output = run_on(workdir, node.name, script, sudo=True).output
    found: dict[str, str | None] = {}
    for part in output.split(f"\n{_MARK}")[1:]:
        path, _, text = part.partition("\n")
        missing = text.strip() == _MISSING
        found[path] = None if missing else with_placeholders(text, topology)
    return found


def _run_prosody(workdir: Workdir, topology: Topology, node: Node) -> str:
    """What the collector prints on the node: a line of settings per side."""
    main = "/etc/prosody/prosody.cfg.lua"
    packaged = [main, f"/etc/prosody/conf.avail/{PLACEHOLDER_HOST}.cfg.lua"]
    words = [KEPT, *(f"{KEPT}{path}" for path in packaged), "--", "", main]
    script = prosodyconf.SCRIPT.read_text(encoding="utf-8")
    command = ["lua5.4", "-", *words]
    result = run_on(workdir, node.name, command, sudo=True, stdin=script, check=False)
    if result.code != 0:
        said = result.errors.strip().partition("\n")[0].removeprefix("lua5.4: ")
        raise LabError(f"Node '{node.name}': Prosody's configuration cannot be read: {said}.")
    return with_placeholders(result.output, topology)


def _prosody(node: Node, output: str) -> tuple[Sections, Sections]:
    lines = output.splitlines()
    source = f"Node '{node.name}': Prosody's configuration"
    if len(lines) != 2:
        raise LabError(f"{source}: two lines were expected, {len(lines)} came.")
    first, second = (prosodyconf.parse_sections(line, source=source) for line in lines)
    return first, second


def _fetch_units(workdir: Workdir, node: Node) -> dict[str, dict[str, str]]:
    """Unit -> path -> text, of the packages' unit files and of all that stands beside them."""
    script = (
        f"cd / && for unit in {' '.join(UNITS[node.role])}; do for file in"
        f" {SHIPPED}/$unit.service {PLACED}/$unit.service {PLACED}/$unit.service.d/*.conf; do"
        f' [ -f "$file" ] && printf "\\n{_MARK}%s %s\\n" "$unit" "$file" && cat "$file"; done;'
        " done; true"
    )
    texts: dict[str, dict[str, str]] = {}
    for part in run_on(workdir, node.name, script, sudo=True).output.split(f"\n{_MARK}")[1:]:
        head, _, text = part.partition("\n")
        unit, _, path = head.partition(" ")
        texts.setdefault(unit, {})[path] = text
    return texts


def _units(texts: Mapping[str, Mapping[str, str]]) -> list[Difference]:
    """Units as the packages have them against units with what labctl placed beside them."""
    found: list[Difference] = []
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
    """The text with the names of the image and of the lab replaced by what stands for both."""
    for name in (PLACEHOLDER_HOST, topology.domain):
        text = text.replace(name, DOMAIN)
    return text.replace(str(topology.jms.address), JMS)
