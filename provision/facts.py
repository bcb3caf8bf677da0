"""The present state of a node: one script reports everything that a plan needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IFMT, S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from labctl.node.script import ShellScript, sectioned
from labctl.node.sections import END, Sections
from provision.manifest import Manifest, parse_manifest
from provision.problem import NodeProblem

UNKNOWN = "?"
"""The unit of a socket if the kernel does not say; it is assumed to be the right one."""

SCRIPTS = Path(__file__).parent / "node"


def script(name: str) -> ShellScript:
    """A script of `node/` with the common part before it; it reads its data from standard input."""
    return sectioned((SCRIPTS / "common.sh").read_text() + (SCRIPTS / f"{name}.sh").read_text())


@dataclass(frozen=True, slots=True)
class Stat:
    """A path that exists; links are not followed."""

    owner: str
    group: str
    kind: int
    mode: int

    @property
    def is_file(self) -> bool:
        return S_ISREG(self.kind)

    @property
    def is_dir(self) -> bool:
        return S_ISDIR(self.kind)

    @property
    def is_link(self) -> bool:
        return S_ISLNK(self.kind)


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit's state from `systemctl show`; `active_for` is in seconds, 0 if it is not active."""

    load: str
    active: str
    sub: str
    enabled: bool
    needs_reload: bool
    active_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket, the process that holds it, and that process's unit."""

    port: int
    address: str
    unit: str
    process: str

    @property
    def everywhere(self) -> bool:
        return self.address in ("0.0.0.0", "[::]", "*")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The facts about a node; `applied` is the last manifest that was completely applied."""

    stats: Mapping[str, Stat] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, UnitState] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    pending: frozenset[str] = frozenset()
    applied: Manifest | None = None


def render_questions(manifest: Manifest) -> str:
    """The questions for `node/inspect.sh`."""
    entries = (*manifest.dirs, *manifest.files)
    questions = [
        ("path", [entry.path for entry in entries] + [*manifest.targets, *manifest.absent]),
        ("file", [entry.path for entry in manifest.files]),
        ("link", list(manifest.targets)),
        ("unit", [unit.name for unit in manifest.units]),
        ("user", sorted({entry.owner for entry in entries})),
        ("group", sorted({entry.group for entry in entries})),
    ]
    return "\n".join(f"{kind}\t{name}" for kind, names in questions for name in names)


def parse_facts(sections: Sections, *, manifest: Manifest) -> NodeFacts:
    """The answers of `node/inspect.sh`, as values.

    Errors: NodeProblem if the script did not finish, or systemd does not answer.
    """
    if END not in sections:
        raise NodeProblem(manifest.node, "inspect", "Its state cannot be read.")
    uptime = float(sections.text("uptime"))
    return NodeFacts(
        stats=dict(_stat(line) for line in sections.lines("stat")),
        digests={line[66:]: line[:64] for line in sections.lines("sha256")},
        links=dict(_swapped(line) for line in sections.lines("link")),
        units=_units(sections, manifest, uptime),
        users=frozenset(sections.lines("user")),
        groups=frozenset(sections.lines("group")),
        listeners=tuple(_listeners(sections.lines("listen"))),
        pending=frozenset(line for line in sections.lines("pending") if line),
        applied=_applied(sections.text("manifest"), manifest.node),
    )


def _stat(line: str) -> tuple[str, Stat]:
    mode, owner, group, raw, path = line.split(" ", 4)
    return path, Stat(owner, group, S_IFMT(int(raw, 16)), S_IMODE(int(mode, 8)))


def _swapped(line: str) -> tuple[str, str]:
    target, path = line.split("\t", 1)
    return path, target


def _units(sections: Sections, manifest: Manifest, uptime: float) -> dict[str, UnitState]:
    text = sections.text("unit").strip()
    blocks = text.split("\n\n") if text else []
    names = [unit.name for unit in manifest.units]
    if len(blocks) != len(names):
        raise NodeProblem(
            manifest.node, "inspect", "systemctl does not answer.", detail=sections.lines("unit")
        )
    sysv = set(sections.lines("sysv"))
    return {
        name: _unit(name, block, sysv, uptime) for name, block in zip(names, blocks, strict=True)
    }


def _unit(name: str, block: str, sysv: Iterable[str], uptime: float) -> UnitState:
    shown = dict(line.split("=", 1) for line in block.splitlines())
    generated = shown["UnitFileState"] == "generated"
    since = int(shown.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    return UnitState(
        load=shown["LoadState"],
        active=shown["ActiveState"],
        # The unit of an init script stays "active" (as "exited") after its process has died.
        sub="dead" if generated and shown["SubState"] == "exited" else shown["SubState"],
        enabled=name.removesuffix(".service") in sysv
        if generated
        else shown["UnitFileState"] in ("enabled", "static", "alias", "indirect"),
        needs_reload=shown["NeedDaemonReload"] == "yes",
        active_for=uptime - since if shown["ActiveState"] == "active" else 0.0,
    )


def _listeners(lines: Iterable[str]) -> Iterable[Listener]:
    for line in lines:
        port, address, unit, process = line.split("\t", 3)
        yield Listener(int(port), address, unit, process)


def _applied(text: str, node: str) -> Manifest | None:
    if not text.strip():
        return None
    try:
        return parse_manifest(text, node=node)
    except NodeProblem:
        return None  # damaged, or of another format: then everything counts as new
