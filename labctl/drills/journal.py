"""What must be undone, on disk before anything is broken: `.lab/<lab>/drill.json`.

A labctl that was killed in the middle of a drill leaves the file; the next `labctl drill`, `blip`
or `up` runs what it says, newest first.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Progress
from labctl.core.state import StateKind, load_state, save_state
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

UNDO_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """One undo: on which node, what it is in words, the script (as root; may run twice)."""

    node: str
    what: str
    script: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What the file holds: the drill's name, and its undos in the order of the faults."""

    drill: str
    undo: tuple[UndoEntry, ...]


ANEW = "Run 'labctl down', then 'labctl up': new nodes have no faults of an interrupted drill."
JOURNAL: StateKind[Noted] = StateKind(
    format=1, parse=partial(from_plain, Noted), remedy=ANEW, outgrown=ANEW
)


class Journal:
    """The undos that are due, in memory and on disk alike."""

    def __init__(self, workdir: Workdir, *, what: str) -> None:
        self._path = workdir.drill_file
        self._what = what
        self.entries: list[UndoEntry] = []

    @classmethod
    def of(cls, workdir: Workdir, noted: Noted) -> Journal:
        """The journal with what an earlier labctl noted."""
        journal = cls(workdir, what=noted.drill)
        journal.entries = list(noted.undo)
        return journal

    def add(self, entry: UndoEntry) -> None:
        """Note an undo; on disk when this returns.  The same one is noted once."""
        if entry not in self.entries:
            self.entries.append(entry)
            self._save()

    def settle(self, run: Callable[[UndoEntry], None]) -> None:
        """Run every undo, newest first, and forget each that worked.

        Errors: the first one's, after all were tried; what failed stays in the file.
        """
        failed: list[tuple[UndoEntry, LabError]] = []
        for entry in reversed(self.entries):
            try:
                run(entry)
            except LabError as error:
                failed.append((entry, error))
        self.entries = [entry for entry, _ in reversed(failed)]
        if not failed:
            self._path.unlink(missing_ok=True)
            return
        self._save()
        first, why = failed[0]
        raise LabError(
            f"Drill '{self._what}' could not be undone on '{first.node}' ({first.what}): "
            f"{why.message}",
            hint="'labctl up' tries again; it also recreates nodes that are gone.",
        )

    def _save(self) -> None:
        noted = Noted(self._what, tuple(self.entries))
        save_state(self._path, JOURNAL, to_plain(noted), mode=0o600)


def journal_path(workdir: Workdir) -> Path:
    return workdir.drill_file


def load_journal(workdir: Workdir) -> Journal | None:
    """The journal that an earlier labctl left; None if there is none.

    A file that cannot be read is an error (StateError): what it held may still be broken.
    """
    path = workdir.drill_file
    if not path.exists():
        return None
    return Journal.of(workdir, load_state(path, JOURNAL))


def forget_journal(workdir: Workdir) -> None:
    """Nothing is left to undo, because the nodes are gone: remove the file, or whatever has its
    name."""
    path = workdir.drill_file
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def run_entry(lab: Lab, entry: UndoEntry) -> None:
    """Run one undo on its node."""
    reach(lab).run(entry.node, ShellScript(entry.script), sudo=True, seconds=UNDO_SECONDS)


def undo_left(lab: Lab, *, progress: Progress) -> Sequence[UndoEntry]:
    """Undo what a killed drill left; returns what was undone, empty if nothing was left.

    Nodes that the lab no longer has are skipped: their faults went with them."""
    journal = load_journal(lab.folder)
    if journal is None:
        return ()
    names = {node.name for node in lab.topology.nodes}
    journal.entries = [entry for entry in journal.entries if entry.node in names]
    entries = tuple(journal.entries)

    def run(entry: UndoEntry) -> None:
        progress("drill", f"undoing what an interrupted drill left: {entry.what}", node=entry.node)
        run_entry(lab, entry)

    journal.settle(run)
    return entries
