"""The difference between the wanted and the present state of a node.  Pure.

A path counts as changed, and restarts units, if it differs on the node or from the last
manifest that was completely applied, or if a killed run had begun to change it (`pending`).  If a
run is killed between placing a file and restarting its unit, the next one restarts the unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from labctl.render.tree import Unit
from provision.facts import UNKNOWN, NodeFacts, UnitState
from provision.manifest import Manifest, ManifestEntry
from provision.problem import NodeProblem

SETTLED = 15.0
"""How many seconds an active unit may not own its ports before it counts as broken."""

UNIT_DIRS = (
    "/etc/systemd/system/",
    "/etc/init.d/",
    "/usr/lib/systemd/system/",
    "/usr/local/lib/systemd/system/",
)
BUSY = ("active", "reloading", "activating")


@dataclass(frozen=True, slots=True)
class ProvisionStage:
    """What to do with a node's units in one stage."""

    units: tuple[Unit, ...]
    restart: tuple[str, ...]
    reload: tuple[str, ...]
    start: tuple[str, ...]
    unsettled: bool = False

    @property
    def empty(self) -> bool:
        return not any((self.restart, self.reload, self.start)) and not self.unsettled


@dataclass(frozen=True, slots=True)
class ProvisionPlan:
    """What to do on one node."""

    manifest: Manifest
    write: tuple[ManifestEntry, ...]
    new_dirs: tuple[ManifestEntry, ...]
    dirs: tuple[ManifestEntry, ...]
    links: tuple[str, ...]
    remove: tuple[str, ...]
    old_dirs: tuple[str, ...]
    stop: tuple[str, ...]
    dirty: frozenset[str]
    enable: tuple[str, ...]
    commands: tuple[str, ...]
    stages: dict[int, ProvisionStage]
    daemon_reload: bool
    finish: bool

    @property
    def places(self) -> bool:
        work = (self.write, self.dirs, self.links, self.remove, self.stop, self.old_dirs)
        return any(work) or bool(self.dirty) or self.daemon_reload


def make_plan(manifest: Manifest, facts: NodeFacts) -> ProvisionPlan:
    """The plan that brings the node from `facts` to `manifest`.

    Errors: NodeProblem for an owner that does not exist, and for a port that another process
    holds.
    """
    _check_owners(manifest, facts)
    applied = facts.applied or Manifest(node=manifest.node)
    placed = frozenset(applied.files)
    write = tuple(entry for entry in manifest.files if not _same_file(entry, facts, placed=placed))
    dirs = tuple(entry for entry in manifest.dirs if not _same_dir(entry, facts))
    links = tuple(
        path for path, target in manifest.targets.items() if facts.links.get(path) != target
    )
    stale = _paths(applied) - _paths(manifest)
    remove = tuple(sorted(stale | {path for path in manifest.absent if path in facts.stats}))
    names = {unit.name for unit in manifest.units}
    stop = tuple(unit.name for unit in applied.units if unit.name not in names)
    dirty = frozenset(
        {entry.path for entry in write}
        | set(links)
        | set(remove)
        | _different(manifest, applied)
        | facts.pending
    )
    _check_ports(manifest, facts, mine={*names, *stop, UNKNOWN})
    stages = _stages(manifest, facts, dirty)
    enable = tuple(unit.name for unit in manifest.units if not facts.units[unit.name].enabled)
    kept = {entry.path for entry in manifest.dirs}
    return ProvisionPlan(
        manifest=manifest,
        write=write,
        new_dirs=_new_dirs(manifest, write, links),
        dirs=dirs,
        links=links,
        remove=remove,
        old_dirs=tuple(sorted((d.path for d in applied.dirs if d.path not in kept), reverse=True)),
        stop=stop,
        dirty=dirty,
        enable=enable,
        commands=tuple(c.run for c in manifest.commands if _touched(c.when, dirty)),
        stages=stages,
        daemon_reload=bool(enable)
        or any(path.startswith(UNIT_DIRS) for path in dirty)
        or any(state.needs_reload for state in facts.units.values()),
        finish=bool(dirty) or applied.text.strip() != manifest.text.strip(),
    )


def _same_file(entry: ManifestEntry, facts: NodeFacts, *, placed: frozenset[ManifestEntry]) -> bool:
    stat = facts.stats.get(entry.path)
    if entry.kept and entry in placed:
        return stat is not None and stat.is_file
    return (
        stat is not None
        and stat.is_file
        and (stat.owner, stat.group, stat.mode) == (entry.owner, entry.group, entry.mode)
        and facts.digests.get(entry.path) == entry.sha256
    )


def _same_dir(entry: ManifestEntry, facts: NodeFacts) -> bool:
    stat = facts.stats.get(entry.path)
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
    manifest: Manifest, write: Iterable[ManifestEntry], links: Iterable[str]
) -> tuple[ManifestEntry, ...]:
    """Missing parents to make; they get the owner of the file."""
    found: dict[str, ManifestEntry] = {}
    explicit = {entry.path for entry in manifest.dirs}
    for entry in write:
        mode = 0o755 if entry.mode & 0o004 else 0o750
        for parent in reversed(PurePosixPath(entry.path).parents):
            path = str(parent)
            if path != "/" and path not in explicit:
                found.setdefault(path, ManifestEntry(path, entry.owner, entry.group, mode))
    for link in links:
        for parent in reversed(PurePosixPath(link).parents):
            path = str(parent)
            if path != "/" and path not in explicit:
                found.setdefault(path, ManifestEntry(path, "root", "root", 0o755))
    return tuple(found.values())


def _touched(patterns: Iterable[str], paths: Iterable[str]) -> bool:
    known = tuple(paths)
    return any(fnmatchcase(path, pattern) for pattern in patterns for path in known)


def _stages(
    manifest: Manifest, facts: NodeFacts, dirty: frozenset[str]
) -> dict[int, ProvisionStage]:
    stages: dict[int, ProvisionStage] = {}
    for number in sorted({unit.stage for unit in manifest.units}):
        units = tuple(unit for unit in manifest.units if unit.stage == number)
        verbs = {unit.name: _verb(unit, facts, dirty) for unit in units}

        def of(verb: str, verbs: dict[str, str] = verbs) -> tuple[str, ...]:
            return tuple(name for name, wanted in verbs.items() if wanted == verb)

        stages[number] = ProvisionStage(
            units=units,
            restart=of("restart"),
            reload=of("reload"),
            start=of("start"),
            unsettled=bool(of("wait")),
        )
    return stages


def _verb(unit: Unit, facts: NodeFacts, dirty: frozenset[str]) -> str:
    state = facts.units[unit.name]
    if state.active not in BUSY:
        return "start"
    if state.sub == "dead":
        return "restart"
    if _touched(unit.when, dirty):
        return unit.change
    if state.active == "active" and _owns_ports(unit, facts):
        return ""
    return "restart" if _settled(state) else "wait"


def _settled(state: UnitState) -> bool:
    return state.active == "active" and state.active_for > SETTLED


def _owns_ports(unit: Unit, facts: NodeFacts) -> bool:
    mine = (unit.name, UNKNOWN)
    owned = {listener.port for listener in facts.listeners if listener.unit in mine}
    return owned.issuperset(unit.ports)


def _check_owners(manifest: Manifest, facts: NodeFacts) -> None:
    for entry in (*manifest.dirs, *manifest.files):
        for kind, name, known in (
            ("user", entry.owner, facts.users),
            ("group", entry.group, facts.groups),
        ):
            if name not in known:
                raise NodeProblem(
                    manifest.node,
                    "inspect",
                    f"There is no {kind} '{name}', which must own '{entry.path}'.",
                    hint="The package that creates it is not in this node's image.",
                )


def _check_ports(manifest: Manifest, facts: NodeFacts, *, mine: set[str]) -> None:
    """Refuse, before anything changes, if another process holds a port on every address.

    One that holds it on a single address may not be in the way; waiting for the stage shows that.
    """
    for unit in manifest.units:
        for listener in facts.listeners:
            if listener.port in unit.ports and listener.everywhere and listener.unit not in mine:
                raise NodeProblem(
                    manifest.node,
                    "inspect",
                    f"Port {listener.port}, which '{unit.name}' needs, is in use by "
                    f"{listener.process} (unit '{listener.unit}').",
                    hint="Stop that process on the node.",
                )
