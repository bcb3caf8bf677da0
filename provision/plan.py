"""The difference between what a node shall look like and what it looks like.  Pure.

What counts as changed (and so restarts units) is what differs on the node, what differs from the
last manifest that was applied to the end, and what a killed run had begun to change (`pending`).
So a run that was killed between placing a file and restarting its unit is made good by the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from provision.facts import UNKNOWN, Look, UnitState
from provision.manifest import Entry, Manifest, Unit
from provision.problem import NodeProblem

SETTLED = 15.0
"""Seconds after which an active unit that does not own its ports is taken for broken."""

UNIT_DIRS = (
    "/etc/systemd/system/",
    "/etc/init.d/",
    "/usr/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
)
BUSY = ("active", "reloading", "activating")


@dataclass(frozen=True, slots=True)
class Stage:
    """What one stage does to the units of a node."""

    units: tuple[Unit, ...]
    enable: tuple[str, ...]
    restart: tuple[str, ...]
    reload: tuple[str, ...]
    start: tuple[str, ...]
    unsettled: bool = False

    @property
    def empty(self) -> bool:
        changes = (self.enable, self.restart, self.reload, self.start)
        return not any(changes) and not self.unsettled


@dataclass(frozen=True, slots=True)
class Plan:
    """What one node needs."""

    manifest: Manifest
    write: tuple[Entry, ...]
    new_dirs: tuple[Entry, ...]
    dirs: tuple[Entry, ...]
    links: tuple[str, ...]
    remove: tuple[str, ...]
    old_dirs: tuple[str, ...]
    stop: tuple[str, ...]
    dirty: frozenset[str]
    commands: tuple[str, ...]
    stages: dict[int, Stage]
    daemon_reload: bool
    finish: bool

    @property
    def places(self) -> bool:
        work = (self.write, self.dirs, self.links, self.remove, self.stop, self.old_dirs)
        return any(work) or bool(self.dirty) or self.daemon_reload


def make_plan(manifest: Manifest, look: Look) -> Plan:
    """What brings the node from `look` to `manifest`.

    Errors: NodeProblem for an owner that does not exist, and for a port that a process of
    somebody else holds.
    """
    _check_owners(manifest, look)
    applied = look.applied or Manifest(node=manifest.node)
    placed = frozenset(applied.files)
    write = tuple(entry for entry in manifest.files if not _same_file(entry, look, placed=placed))
    dirs = tuple(entry for entry in manifest.dirs if not _same_dir(entry, look))
    links = tuple(
        path for path, target in manifest.targets.items() if look.links.get(path) != target
    )
    stale = _paths(applied) - _paths(manifest)
    remove = tuple(sorted(stale | {path for path in manifest.absent if path in look.stats}))
    names = {unit.name for unit in manifest.units}
    stop = tuple(unit.name for unit in applied.units if unit.name not in names)
    dirty = frozenset(
        {entry.path for entry in write}
        | set(links)
        | set(remove)
        | _different(manifest, applied)
        | look.pending
    )
    _check_ports(manifest, look, mine={*names, *stop, UNKNOWN})
    stages = _stages(manifest, look, dirty)
    kept = {entry.path for entry in manifest.dirs}
    return Plan(
        manifest=manifest,
        write=write,
        new_dirs=_new_dirs(manifest, write, links),
        dirs=dirs,
        links=links,
        remove=remove,
        old_dirs=tuple(sorted((d.path for d in applied.dirs if d.path not in kept), reverse=True)),
        stop=stop,
        dirty=dirty,
        commands=tuple(c.run for c in manifest.commands if _touched(c.when, dirty)),
        stages=stages,
        daemon_reload=any(path.startswith(UNIT_DIRS) for path in dirty)
        or any(state.needs_reload for state in look.units.values()),
        finish=bool(dirty) or applied.text.strip() != manifest.text.strip(),
    )


def _same_file(entry: Entry, look: Look, *, placed: frozenset[Entry]) -> bool:
    stat = look.stats.get(entry.path)
    if entry.kept and entry in placed:
        return stat is not None and stat.is_file
    return (
        stat is not None
        and stat.is_file
        and (stat.owner, stat.group, stat.mode) == (entry.owner, entry.group, entry.mode)
        and look.digests.get(entry.path) == entry.sha256
    )


def _same_dir(entry: Entry, look: Look) -> bool:
    stat = look.stats.get(entry.path)
    return (
        stat is not None
        and stat.is_dir
        and (stat.owner, stat.group, stat.mode) == (entry.owner, entry.group, entry.mode)
    )


def _paths(manifest: Manifest) -> set[str]:
    return {entry.path for entry in manifest.files} | set(manifest.targets)


def _different(manifest: Manifest, applied: Manifest) -> set[str]:
    old = {entry.path: entry for entry in applied.files}
    files = {entry.path for entry in manifest.files if old.get(entry.path) != entry}
    links = manifest.targets.items() - applied.targets.items()
    return files | {path for path, _ in links}


def _new_dirs(
    manifest: Manifest, write: Iterable[Entry], links: Iterable[str]
) -> tuple[Entry, ...]:
    """Parents to make where they are missing: they belong to whom the file belongs to."""
    found: dict[str, Entry] = {}
    explicit = {entry.path for entry in manifest.dirs}
    for entry in write:
        mode = 0o755 if entry.mode & 0o004 else 0o750
        for parent in reversed(PurePosixPath(entry.path).parents):
            path = str(parent)
            if path != "/" and path not in explicit:
                found.setdefault(path, Entry(path, entry.owner, entry.group, mode))
    for link in links:
        for parent in reversed(PurePosixPath(link).parents):
            path = str(parent)
            if path != "/" and path not in explicit:
                found.setdefault(path, Entry(path, "root", "root", 0o755))
    return tuple(found.values())


def _touched(patterns: Iterable[str], paths: Iterable[str]) -> bool:
    known = tuple(paths)
    return any(fnmatchcase(path, pattern) for pattern in patterns for path in known)


def _stages(manifest: Manifest, look: Look, dirty: frozenset[str]) -> dict[int, Stage]:
    stages: dict[int, Stage] = {}
    for number in sorted({unit.stage for unit in manifest.units}):
        units = tuple(unit for unit in manifest.units if unit.stage == number)
        verbs = {unit.name: _verb(unit, look, dirty) for unit in units}

        def of(verb: str, verbs: dict[str, str] = verbs) -> tuple[str, ...]:
            return tuple(name for name, wanted in verbs.items() if wanted == verb)

        stages[number] = Stage(
            units=units,
            enable=tuple(u.name for u in units if not look.units[u.name].enabled),
            restart=of("restart"),
            reload=of("reload"),
            start=of("start"),
            unsettled=bool(of("wait")),
        )
    return stages


def _verb(unit: Unit, look: Look, dirty: frozenset[str]) -> str:
    state = look.units[unit.name]
    if state.active not in BUSY:
        return "start"
    if state.sub == "dead":
        return "restart"
    if _touched(unit.when, dirty):
        return unit.change
    if state.active == "active" and _owns_ports(unit, look):
        return ""
    return "restart" if _settled(state) else "wait"


def _settled(state: UnitState) -> bool:
    return state.active == "active" and state.active_for > SETTLED


def _owns_ports(unit: Unit, look: Look) -> bool:
    mine = (unit.name, UNKNOWN)
    owned = {listener.port for listener in look.listeners if listener.unit in mine}
    return owned.issuperset(unit.ports)


def _check_owners(manifest: Manifest, look: Look) -> None:
    for entry in (*manifest.dirs, *manifest.files):
        for kind, name, known in (
            ("user", entry.owner, look.users),
            ("group", entry.group, look.groups),
        ):
            if name not in known:
                raise NodeProblem(
                    manifest.node,
                    "inspect",
                    f"There is no {kind} '{name}', which '{entry.path}' shall belong to.",
                    hint="The package that makes it is not in this node's image.",
                )


def _check_ports(manifest: Manifest, look: Look, *, mine: set[str]) -> None:
    """Refuse before anything changes where a stranger holds a port on every address.

    One that holds it on a single address need not be in the way; then the stage's wait tells.
    """
    for unit in manifest.units:
        for listener in look.listeners:
            if listener.port in unit.ports and listener.everywhere and listener.unit not in mine:
                raise NodeProblem(
                    manifest.node,
                    "inspect",
                    f"Port {listener.port}, which '{unit.name}' needs, is in use by "
                    f"{listener.process} (unit '{listener.unit}').",
                    hint="Stop that process on the node.",
                )
