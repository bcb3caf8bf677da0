"""What a new tree would change on a node, compared with the tree of the last `up`.

The same plan that provisioning makes of a node's state is made here of what the last `up` has
placed, so nothing is asked of the nodes.  Secrets are never in a difference.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from stat import S_IFDIR, S_IFREG

from labctl.report.redact import redact_text
from provision.facts import UNKNOWN, Listener, NodeFacts, Stat, UnitState
from provision.manifest import Manifest, ManifestEntry, load_manifest
from provision.plan import make_plan

CONTEXT = 2
PEM = "-----BEGIN "
LONG_AGO = 3600.0


class FileVerb(StrEnum):
    """What happens to a file."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of a node; `diff` are lines of a unified difference, `why_hidden` says why not."""

    path: str
    verb: FileVerb
    diff: tuple[str, ...] = ()
    why_hidden: str = ""


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """What is placed, run and restarted on one node."""

    files: tuple[FileChange, ...] = ()
    commands: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return self == TreeChanges()


def compare_trees(
    old: Path | None, new: Path, *, fresh: bool, secrets: Collection[str]
) -> TreeChanges:
    """The changes from a node's old tree (None: it has none) to its new one.

    A `fresh` machine has nothing yet, so everything is placed and started there.
    """
    wanted = load_manifest(new / "manifest.json", node=new.name)
    before = load_manifest(old / "manifest.json", node=new.name) if old is not None else None
    plan = make_plan(wanted, facts_after(None if fresh else before, wanted))
    stages = plan.stages.values()
    return TreeChanges(
        files=tuple(_files(old, new, before or Manifest(new.name), wanted, secrets)),
        commands=plan.commands,
        restart=tuple(name for stage in stages for name in stage.restart),
        reload=tuple(name for stage in stages for name in stage.reload),
        start=tuple(name for stage in stages for name in stage.start),
        stop=plan.stop,
    )


def facts_after(applied: Manifest | None, wanted: Manifest) -> NodeFacts:
    """The facts about a node on which exactly this was applied, and whose units run."""
    done = applied or Manifest(wanted.node)
    entries = (*wanted.files, *wanted.dirs)
    running = {unit.name for unit in done.units}
    ports = {port for unit in wanted.units for port in unit.ports}
    return NodeFacts(
        stats={it.path: _stat(it, S_IFREG) for it in done.files}
        | {it.path: _stat(it, S_IFDIR) for it in done.dirs},
        digests={it.path: it.sha256 for it in done.files},
        links=done.targets,
        units={unit.name: _unit(runs=unit.name in running) for unit in wanted.units},
        users=frozenset(it.owner for it in entries),
        groups=frozenset(it.group for it in entries),
        listeners=tuple(Listener(port, "0.0.0.0", UNKNOWN, "") for port in sorted(ports)),
        applied=applied,
    )


def _stat(entry: ManifestEntry, kind: int) -> Stat:
    return Stat(entry.owner, entry.group, kind, entry.mode)


def _unit(*, runs: bool) -> UnitState:
    if runs:
        return UnitState("loaded", "active", "running", True, False, LONG_AGO)
    return UnitState("loaded", "inactive", "dead", False, False)


def _files(
    old: Path | None, new: Path, before: Manifest, wanted: Manifest, secrets: Collection[str]
) -> Iterator[FileChange]:
    was = {entry.path: entry for entry in before.files}
    for entry in wanted.files:
        if entry.path not in was:
            yield FileChange(entry.path, FileVerb.NEW)
        elif was[entry.path] != entry:
            assert old is not None, "what was there has a tree"
            yield _changed(was[entry.path], entry, (_file(old, entry), _file(new, entry)), secrets)
    links = before.targets.keys() - wanted.targets.keys()
    gone = (was.keys() | links) - {entry.path for entry in wanted.files}
    yield from (FileChange(path, FileVerb.REMOVED) for path in sorted(gone))
    yield from (
        FileChange(path, FileVerb.CHANGED if path in before.targets else FileVerb.NEW)
        for path, target in wanted.targets.items()
        if before.targets.get(path) != target
    )


def _file(tree: Path, entry: ManifestEntry) -> Path:
    return tree / "files" / entry.path.lstrip("/")


def _changed(
    was: ManifestEntry, now: ManifestEntry, files: tuple[Path, Path], secrets: Collection[str]
) -> FileChange:
    owners = [f"{it.owner}:{it.group} {it.mode:04o}" for it in (was, now)]
    head = () if owners[0] == owners[1] else (f"-{owners[0]}", f"+{owners[1]}")
    texts = [_read(path) for path in files]
    if any(text is None for text in texts):
        hidden = "the last 'up' left no copy"
    elif now.kept or any(PEM in (text or "") for text in texts):
        hidden = "an account's data" if now.kept else "a certificate or key"
    else:
        old, new = (redact_text(text or "", secrets=secrets).splitlines() for text in texts)
        lines = list(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""))[2:]
        hidden = "" if lines or head else "only a secret differs"
        return FileChange(now.path, FileVerb.CHANGED, (*head, *lines), hidden)
    return FileChange(now.path, FileVerb.CHANGED, head, hidden)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
