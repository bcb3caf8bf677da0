"""A gate in its folder: what it has done is on disk, so that the same command continues it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Progress
from labctl.core.state import StateKind, load_state, save_state
from labctl.gate.identity import gate_key
from labctl.gate.job import Found, SideJob
from labctl.gate.model import Side
from labctl.topology.places import LABS, PROJECT

GATES = PROJECT / LABS / ".gate"
STATE = "state.json"
DAY = 24 * 3600.0
"""Results that are older are measured again: the machine and its repositories may have changed."""

STALE = ("drills.json", "drills-again.json")
"""Files that an interrupted gate continues, so that an earlier gate's must not be there."""


@dataclass(frozen=True, slots=True)
class SideState:
    """What is known of a side: `runs` of its runs are over."""

    side: Side
    not_tried: Mapping[str, str]
    runs: int


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate that was begun at `began` (seconds since 1970) and has taken `seconds` so far.

    `paired` is whether both sides are measured in turns although the baseline's results of an
    earlier gate are known."""

    key: str
    began: float
    seconds: float
    paired: bool = False
    sides: Mapping[str, SideState] = field(default_factory=dict)


STATE_FILE: StateKind[GateState] = StateKind(
    format=1,
    parse=partial(from_plain, GateState),
    remedy="Remove it; the gate then begins again.",
)


@dataclass(slots=True)
class Session:
    """A gate that runs: its folder, and what is known of its sides."""

    folder: Path
    state: GateState
    resumed: bool = False
    found: dict[str, Found] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """Seconds that the gate has taken, those before an interruption included."""
        return self.state.seconds + time.monotonic() - self._started

    def find(self, job: SideJob) -> Found:
        """What is known of a side; it is saved whenever it changes."""
        known = self.state.sides.get(job.label)
        found = Found(Side(job.label, job.source))
        if known is not None:
            found = Found(known.side, dict(known.not_tried), known.runs)
        self.adopt(job.label, found)
        return found

    def adopt(self, label: str, found: Found) -> None:
        """Keep what is known of a side from another place."""
        found.save = self.save
        self.found[label] = found

    def pair(self) -> None:
        """Forget all figures: both sides are measured in turns from now on."""
        self.state = replace(self.state, paired=True)
        for each in self.found.values():
            each.forget_runs()

    def save(self) -> None:
        if not self.state.key:
            return
        with self._lock:
            sides = {
                label: SideState(each.side, dict(each.not_tried), each.runs)
                for label, each in self.found.items()
            }
            state = replace(self.state, seconds=self.seconds, sides=sides)
            save_state(self.folder / STATE, STATE_FILE, to_plain(state))

    def close(self) -> None:
        """The gate has its verdict, so there is nothing to continue."""
        (self.folder / STATE).unlink(missing_ok=True)


def open_session(
    jobs: Sequence[SideJob], folder: Path | None, *, fresh: bool, progress: Progress
) -> Session:
    """The gate of these jobs that was interrupted, else a new one.

    It is looked for in `folder`, or if that is None, in all of labctl's own report folders.
    """
    key = gate_key(jobs)
    unfinished = None if fresh else find_unfinished(key, folder, progress=progress)
    if unfinished is not None:
        where, state = unfinished
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(state.began))
        progress("gate", f"continues the gate of {when}, in '{where}': {told(state)}")
        return Session(where, state, resumed=True)
    where = folder or GATES / time.strftime("%Y%m%d-%H%M%S")
    for job in jobs:
        for name in STALE:
            (where / job.label / name).unlink(missing_ok=True)
    return Session(where, GateState(key, time.time(), 0.0))


def told(state: GateState) -> str:
    """What an unfinished gate has done, in words."""
    words = [
        f"{label}: runs measured: {len(each.side.ups)}"
        + (", tested" if each.side.tests is not None else "")
        for label, each in state.sides.items()
    ]
    return "; ".join(words) or "nothing was finished"


def find_unfinished(
    key: str, folder: Path | None, *, progress: Progress
) -> tuple[Path, GateState] | None:
    """The newest gate with this key that has no verdict yet, and its folder."""
    files = [folder / STATE] if folder else sorted(GATES.glob(f"*/{STATE}"), reverse=True)
    for file in files if key else ():
        if not file.is_file():
            continue
        try:
            state = load_state(file, STATE_FILE)
        except LabError as error:
            progress("gate", f"not continued: {error.message}")
            continue
        reason = _why_not(state, key)
        if reason is None:
            return file.parent, state
        # Without a folder of its own any other gate is simply another one.
        if folder is not None:
            progress("gate", f"the gate in '{folder}' is not continued: {reason}")
    return None


def _why_not(state: GateState, key: str) -> str | None:
    if state.key != key:
        return "packages, options or labctl itself are not the same any more"
    if time.time() - state.began > DAY:
        return "it is more than a day old"
    return None
