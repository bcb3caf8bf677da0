"""One student's way through an exercise: start, hints, checks, the solution, and back."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.core.errors import LabError, UsageError
from labctl.core.progress import Progress
from labctl.core.waiting import wait_until
from labctl.node.ssh import ensure_config
from labctl.ready.wait import wait_signals
from labctl.topology.lab import Lab
from labctl.training.checks.base import CheckContext
from labctl.training.checks.checked import Checked
from labctl.training.checks.table import problems_of, run_checks
from labctl.training.exercise import FOLDER, Exercise, list_exercises, load_exercise
from labctl.training.progress import ClassProgress, load_progress, save_progress
from labctl.training.repair import restore
from labctl.training.steps import run_steps
from labctl.training.surroundings import check_needs, words

AGAIN_SECONDS = 0.5
SETTLED_SECONDS = 60.0
NONE = "No exercise has been started on lab '{lab}'."
START_ONE = "'labctl class list' shows all; 'labctl class start NAME' starts one."


@dataclass(frozen=True, slots=True)
class Hint:
    """One step towards the solution: its number, how many there are, and its words."""

    number: int
    of: int
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks of an exercise found."""

    exercise: Exercise
    checks: tuple[Checked, ...]

    @property
    def solved(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def wrong(self) -> tuple[str, ...]:
        """Each sentence once: two checks may see the same, and one may quote another."""
        found: list[str] = []
        for said in (said for check in self.checks for said in check.wrong):
            if not any(earlier.rstrip(".") in said for earlier in found):
                found.append(said)
        return tuple(found)


def get_exercise(name: str, *, folder: Path = FOLDER) -> Exercise:
    """An exercise that can be used.  Errors: LabError with everything that is wrong with it."""
    exercise = load_exercise(name, folder=folder)
    _refuse_wrong([exercise])
    return exercise


def get_exercises(folder: Path = FOLDER) -> list[Exercise]:
    """All exercises of a folder, checked."""
    found = list_exercises(folder)
    _refuse_wrong(found)
    return found


def _refuse_wrong(exercises: list[Exercise]) -> None:
    problems = [(one, said) for one in exercises for said in problems_of(one)]
    if problems:
        lines = "".join(f"\n    '{one.name}': {said}" for one, said in problems)
        raise LabError(f"Exercises are wrong:{lines}")


def start(lab: Lab, exercise: Exercise, *, progress: Progress) -> ClassProgress:
    """Reach the exercise's start state, whatever state the lab is in.

    The caller holds the lab's lock.  Errors: LabError."""
    check_needs(lab, exercise)
    before = load_progress(lab.folder)
    _undo_current(lab, before, progress=progress)
    begun = before.begun(exercise.name, folder=exercise.folder.parent)
    save_progress(lab.folder, begun)
    restore(lab, progress=progress)
    notes = run_steps(lab, exercise, exercise.start, progress=progress)
    if exercise.settled:
        wait_signals(lab, seconds=SETTLED_SECONDS, progress=progress)
    started = begun.started(notes)
    save_progress(lab.folder, started)
    return started


def reset(lab: Lab, *, progress: Progress) -> None:
    """Bring the lab back to what labctl made of it; the lab is then in no exercise.

    The caller holds the lab's lock.  Errors: LabError."""
    before = load_progress(lab.folder)
    _undo_current(lab, before, progress=progress)
    restore(lab, progress=progress)
    save_progress(lab.folder, before.ended())


def _undo_current(lab: Lab, before: ClassProgress, *, progress: Progress) -> None:
    """What the exercise itself knows to undo.  It may fail: the repair finds what is left."""
    if not before.current:
        return
    ensure_config(lab)
    try:
        exercise = load_exercise(before.current, folder=Path(before.folder))
        run_steps(lab, exercise, exercise.undo, progress=progress)
    except LabError as error:
        progress("class", f"not everything could be undone: {error.message}")


def current(lab: Lab, name: str | None = None) -> tuple[Exercise, ClassProgress]:
    """The exercise that the lab is in.  Errors: UsageError if there is none, or another one than
    `name`."""
    found = load_progress(lab.folder)
    if not found.current:
        raise UsageError(NONE.format(lab=lab.topology.lab), hint=START_ONE)
    if name is not None and name != found.current:
        raise UsageError(
            f"Lab '{lab.topology.lab}' is in exercise '{found.current}', not in '{name}'.",
            hint=f"'labctl class start {name}' starts it.",
        )
    if not found.ready:
        raise LabError(
            f"The start of exercise '{found.current}' was interrupted.",
            hint=f"Run 'labctl class start {found.current}' again.",
        )
    return get_exercise(found.current, folder=Path(found.folder)), found


def take_hint(lab: Lab) -> Hint:
    """The next hint of the lab's exercise; the last one again when there are no more."""
    exercise, found = current(lab)
    attempt = found.attempt(exercise.name)
    number = min(attempt.hints + 1, len(exercise.hints))
    if not number:
        raise LabError(f"Exercise '{exercise.name}' has no hints.")
    save_progress(lab.folder, found.noted(exercise.name, replace(attempt, hints=number)))
    return Hint(number, len(exercise.hints), words(lab, exercise.hints[number - 1]))


def check(
    lab: Lab, *, progress: Progress, name: str | None = None, seconds: float = 0.0
) -> Verdict:
    """Run the checks of the lab's exercise, for `seconds` until they pass; note what came of it.

    Errors: LabError."""
    exercise, found = current(lab, name)
    ensure_config(lab)
    attempt = found.attempt(exercise.name)
    context = CheckContext(lab, exercise, progress=progress, notes=found.notes, began=attempt.began)
    verdict = _checked(context, seconds=seconds)
    noted = replace(attempt, checks=attempt.checks + 1)
    if verdict.solved and not attempt.solved:
        noted = replace(noted, solved=round(time.time(), 1))
    save_progress(lab.folder, found.noted(exercise.name, noted))
    return verdict


def _checked(context: CheckContext, *, seconds: float) -> Verdict:
    """The last verdict: units that were just started need a moment."""
    exercise = context.exercise
    verdict = Verdict(exercise, ())

    def passed() -> bool:
        nonlocal verdict
        verdict = Verdict(exercise, tuple(run_checks(context, exercise.checks)))
        return verdict.solved

    wait_until(passed, deadline=context.lab.patience.deadline(seconds), interval=AGAIN_SECONDS)
    return verdict


def solve(lab: Lab, *, progress: Progress) -> Exercise:
    """Run the solution of the lab's exercise; it then brings no points.

    The caller holds the lab's lock.  Errors: LabError."""
    exercise, found = current(lab)
    attempt = found.attempt(exercise.name)
    if not attempt.solved:
        attempt = replace(attempt, shown=True)
        save_progress(lab.folder, found.noted(exercise.name, attempt))
    ensure_config(lab)
    run_steps(lab, exercise, exercise.solve, progress=progress, notes=found.notes)
    return exercise
