"""What must be undone, on disk before anything is broken: `.lab/<lab>/drill.json`.

A labctl that was killed in the middle of a drill leaves the file; the next `labctl drill`, `blip`
or `up` runs what it says, newest first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.errors import LabError
from labctl.model import Topology
from labctl.progress import Progress
from labctl.ssh import run_on
from labctl.workdir import Workdir, write_json

UNDO_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One undo: on which node, what it is in words, the script (as root; may run twice)."""

    node: str
    what: str
    script: str


class Journal:
    """The undos that are due, in memory and on disk alike."""

    def __init__(self, workdir: Workdir, *, what: str) -> None:
        self._path = journal_path(workdir)
        self._what = what
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note an undo; on disk when this returns.  The same one is noted once."""
        if entry not in self.entries:
            self.entries.append(entry)
            data = {"drill": self._what, "undo": [asdict(each) for each in self.entries]}
            write_json(self._path, data, mode=0o600)

    def settle(self, run: Callable[[Entry], None]) -> None:
        """Run every undo, newest first, and forget each that worked.

        Errors: the first one's, after all were tried; what failed stays in the file.
        """
        failed: list[tuple[Entry, LabError]] = []
        for entry in reversed(self.entries):
            try:
                run(entry)
            except LabError as error:
                failed.append((entry, error))
        self.entries = [entry for entry, _ in reversed(failed)]
        if not failed:
            self._path.unlink(missing_ok=True)
            return
        data = {"drill": self._what, "undo": [asdict(each) for each in self.entries]}
        write_json(self._path, data, mode=0o600)
        first, why = failed[0]
        raise LabError(
            f"Drill '{self._what}' could not be undone on '{first.node}' ({first.what}): "
            f"{why.message}",
            hint="'labctl up' tries again; it also makes nodes anew that are gone.",
        )


def journal_path(workdir: Workdir) -> Path:
    return workdir.path / "drill.json"


def load_journal(workdir: Workdir) -> Journal | None:
    """The journal that an earlier labctl left; None where there is none.

    A file that cannot be read is an error: what it held may still be broken.
    """
    path = journal_path(workdir)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        journal = Journal(workdir, what=str(data["drill"]))
        journal.entries = [
            Entry(str(each["node"]), str(each["what"]), str(each["script"]))
            for each in data["undo"]
        ]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"'{path}' cannot be read: {error}.",
            hint="Remove it; 'labctl down' and 'labctl up' make all nodes anew.",
        ) from error
    return journal


def run_entry(workdir: Workdir, entry: Entry) -> None:
    """Run one undo on its node."""
    run_on(workdir, entry.node, entry.script, sudo=True, timeout=UNDO_SECONDS)


def undo_left(workdir: Workdir, topology: Topology, *, progress: Progress) -> Sequence[Entry]:
    """Undo what a drill that was killed has left; what was undone, empty where nothing was left.

    Nodes that the lab has no more are passed over: their faults went with them.
    """
    journal = load_journal(workdir)
    if journal is None:
        return ()
    names = {node.name for node in topology.nodes}
    journal.entries = [entry for entry in journal.entries if entry.node in names]
    entries = tuple(journal.entries)

    def run(entry: Entry) -> None:
        progress("drill", f"undoing what an interrupted drill left: {entry.what}", node=entry.node)
        run_entry(workdir, entry)

    journal.settle(run)
    return entries
