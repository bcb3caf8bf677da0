"""What a student has done in a lab, and the points for it: `.lab/<name>/class/progress.json`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, load_state, save_state
from labctl.topology.workdir import Workdir

FULL = 10
PER_HINT = 2
LEAST = 2
"""Points: all without a hint, two less for each, but some for whoever solved it at all."""


class Standing(StrEnum):
    """How far a student has come with an exercise."""

    NEW = "not begun"
    BEGUN = "begun"
    SOLVED = "solved"
    SHOWN = "solution shown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was done with one exercise.  Times are in seconds since 1970, 0 for never."""

    began: float = 0.0
    solved: float = 0.0
    hints: int = 0
    checks: int = 0
    shown: bool = False

    @property
    def standing(self) -> Standing:
        if self.solved:
            return Standing.SHOWN if self.shown else Standing.SOLVED
        return Standing.BEGUN if self.began else Standing.NEW

    @property
    def points(self) -> int:
        if self.standing is not Standing.SOLVED:
            return 0
        return max(LEAST, FULL - PER_HINT * self.hints)

    @property
    def minutes(self) -> float | None:
        """From the beginning to the solution; None if it is not solved."""
        return (self.solved - self.began) / 60 if self.solved else None


@dataclass(frozen=True, slots=True)
class ClassProgress:
    """The exercise that the lab is in now (empty: none), its notes, and every attempt by name.

    `ready` is set when the start state was reached."""

    current: str = ""
    folder: str = ""
    ready: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)

    def attempt(self, name: str) -> Attempt:
        return self.attempts.get(name, Attempt())

    def noted(self, name: str, attempt: Attempt) -> ClassProgress:
        return replace(self, attempts={**self.attempts, name: attempt})

    def begun(self, name: str, *, folder: Path) -> ClassProgress:
        """An exercise is about to begin: whatever was done with it before no longer counts."""
        found = replace(self, current=name, folder=str(folder), ready=False, notes={})
        return found.noted(name, Attempt())

    def started(self, notes: Mapping[str, str]) -> ClassProgress:
        """The start state of the current exercise is reached."""
        found = replace(self, ready=True, notes=dict(notes))
        return found.noted(self.current, Attempt(began=round(time.time(), 1)))

    def ended(self) -> ClassProgress:
        """The lab is in no exercise."""
        return replace(self, current="", folder="", ready=False, notes={})


@dataclass(frozen=True, slots=True)
class Score:
    """The attempts of one lab; `total` is what all exercises together could bring."""

    lab: str
    attempts: Mapping[str, Attempt]
    total: int

    @property
    def points(self) -> int:
        return sum(attempt.points for attempt in self.attempts.values())

    @property
    def solved(self) -> int:
        return sum(each.standing is Standing.SOLVED for each in self.attempts.values())


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What came of one exercise; `minutes` is null while it is not solved."""

    standing: Standing
    points: int
    minutes: float | None
    hints: int
    checks: int


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """The points of a lab, of how many, and its exercises by name."""

    lab: str
    points: int
    of: int
    exercises: Mapping[str, AttemptRecord]


KIND: StateKind[ClassProgress] = StateKind(
    format=1,
    parse=partial(from_plain, ClassProgress),
    remedy="Remove it; 'labctl class' then begins without earlier attempts.",
)


def progress_file(folder: Workdir) -> Path:
    return folder.path / "class" / "progress.json"


def load_progress(folder: Workdir) -> ClassProgress:
    """What was done so far; nothing if there is no file.  Errors: StateError."""
    path = progress_file(folder)
    return load_state(path, KIND) if path.exists() else ClassProgress()


def save_progress(folder: Workdir, progress: ClassProgress) -> None:
    save_state(progress_file(folder), KIND, to_plain(progress), mode=0o600)


def score_of(folder: Workdir, exercises: Sequence[str]) -> Score:
    """The score of a lab over these exercises.  Errors: StateError."""
    progress = load_progress(folder)
    attempts = {name: progress.attempt(name) for name in exercises}
    return Score(folder.lab, attempts, FULL * len(exercises))


def score_record(score: Score) -> ScoreRecord:
    """The score for programs."""
    return ScoreRecord(
        lab=score.lab,
        points=score.points,
        of=score.total,
        exercises={
            name: AttemptRecord(
                each.standing,
                each.points,
                None if each.minutes is None else round(each.minutes, 1),
                each.hints,
                each.checks,
            )
            for name, each in score.attempts.items()
        },
    )
