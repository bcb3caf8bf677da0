"""What a node looks like: one command, one connection, everything that a plan needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IFMT, S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.arguments import ConnectorArguments

from provision.manifest import Manifest, parse_manifest
from provision.problem import NodeProblem

UNKNOWN = "?"
"""The unit of a socket where the kernel does not tell it: taken for the right one."""

SCRIPTS = Path(__file__).parent / "node"


def script(name: str, *, data: str | None = None, timeout: int | None = None) -> StringCommand:
    """A script of `node/` with the common part before it, as one command that reads `data`."""
    text = (SCRIPTS / "common.sh").read_text() + (SCRIPTS / f"{name}.sh").read_text()
    arguments: ConnectorArguments = {}
    if data is not None:
        arguments["_stdin"] = data
    if timeout is not None:
        arguments["_timeout"] = timeout
    return StringCommand(text, **arguments)


@dataclass(frozen=True, slots=True)
class Stat:
    """A path that exists, not followed where it is a link."""

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
    """A unit as `systemctl show` has it; `active_for` in seconds, 0 where it is not active."""

    load: str
    active: str
    sub: str
    enabled: bool
    needs_reload: bool
    active_for: float = 0.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket, the unit whose process holds it, and that process."""

    port: int
    address: str
    unit: str
    process: str

    @property
    def everywhere(self) -> bool:
        return self.address in ("0.0.0.0", "[::]", "*")


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that was seen of a node; `applied` is the last manifest that was finished."""

    stats: Mapping[str, Stat] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, UnitState] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    pending: frozenset[str] = frozenset()
    applied: Manifest | None = None


class NodeLook(FactBase[dict[str, list[str]] | None]):
    """The raw sections of `node/inspect.sh`; None where the script did not end."""

    def command(self) -> StringCommand:
        return script("inspect")

    def process(self, output: list[str]) -> dict[str, list[str]] | None:
        sections: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in output:
            if line.startswith("== "):
                lines = sections.setdefault(line[3:], [])
            else:
                lines.append(line)
        return sections if "end" in sections else None


def render_questions(manifest: Manifest) -> str:
    """What `node/inspect.sh` is asked about."""
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


def parse_look(sections: Mapping[str, list[str]], *, manifest: Manifest) -> Look:
    """The sections as values."""
    uptime = float(sections["uptime"][0])
    return Look(
        stats=dict(_stat(line) for line in sections["stat"]),
        digests={line[66:]: line[:64] for line in sections["sha256"]},
        links=dict(_swapped(line) for line in sections["link"]),
        units=_units(sections, manifest, uptime),
        users=frozenset(sections["user"]),
        groups=frozenset(sections["group"]),
        listeners=tuple(_listeners(sections["listen"])),
        pending=frozenset(line for line in sections["pending"] if line),
        applied=_applied(sections["manifest"], manifest.node),
    )


def _stat(line: str) -> tuple[str, Stat]:
    mode, owner, group, raw, path = line.split(" ", 4)
    return path, Stat(owner, group, S_IFMT(int(raw, 16)), S_IMODE(int(mode, 8)))


def _swapped(line: str) -> tuple[str, str]:
    target, path = line.split("\t", 1)
    return path, target


def _units(
    sections: Mapping[str, list[str]], manifest: Manifest, uptime: float
) -> dict[str, UnitState]:
    text = "\n".join(sections["unit"]).strip()
    blocks = text.split("\n\n") if text else []
    names = [unit.name for unit in manifest.units]
    if len(blocks) != len(names):
        raise NodeProblem(
            manifest.node, "inspect", "systemctl does not answer.", detail=sections["unit"]
        )
    sysv = set(sections["sysv"])
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
        # An init script's unit stays "active" when its process has died, as "exited".
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


def _applied(lines: list[str], node: str) -> Manifest | None:
    text = "\n".join(lines).strip()
    if not text:
        return None
    try:
        return parse_manifest(text + "\n", node=node)
    except NodeProblem:
        return None  # of another version of this format, or damaged: everything is new then
