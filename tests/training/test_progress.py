"""Attempts and points."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.plain import to_plain
from labctl.core.state import StateError
from labctl.topology.workdir import Workdir
from labctl.training.progress import (
    Attempt,
    ClassProgress,
    Standing,
    load_progress,
    progress_file,
    save_progress,
    score_of,
    score_record,
)

FOLDER = Path("/exercises")


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path)


@pytest.mark.parametrize(
    ("attempt", "standing", "points"),
    [
        (Attempt(), Standing.NEW, 0),
        (Attempt(began=1), Standing.BEGUN, 0),
        (Attempt(began=1, solved=2), Standing.SOLVED, 10),
        (Attempt(began=1, solved=2, hints=2), Standing.SOLVED, 6),
        (Attempt(began=1, solved=2, hints=6), Standing.SOLVED, 2),
        (Attempt(began=1, solved=2, shown=True), Standing.SHOWN, 0),
    ],
)
def test_points(attempt: Attempt, standing: Standing, points: int) -> None:
    assert (attempt.standing, attempt.points) == (standing, points)


def test_an_attempt_from_begin_to_end(workdir: Workdir) -> None:
    begun = ClassProgress().begun("one", folder=FOLDER)
    assert (begun.current, begun.ready) == ("one", False)
    started = begun.started({"bridge": "jvb1"})
    assert started.ready and started.attempt("one").began > 0
    save_progress(workdir, started)
    assert load_progress(workdir) == started
    assert progress_file(workdir).stat().st_mode & 0o777 == 0o600
    ended = started.ended()
    assert (ended.current, ended.notes, ended.ready) == ("", {}, False)
    assert ended.attempts == started.attempts


def test_beginning_again_forgets_the_first_attempt() -> None:
    first = ClassProgress(attempts={"one": Attempt(1, 2, hints=3), "two": Attempt(1)})
    again = first.begun("one", folder=FOLDER)
    assert again.attempt("one") == Attempt()
    assert again.attempt("two") == Attempt(1)


def test_a_damaged_file_is_named(workdir: Workdir) -> None:
    progress_file(workdir).parent.mkdir(parents=True)
    progress_file(workdir).write_text('{"format": 1, "attempts": 7}')
    with pytest.raises(StateError, match=r"progress\.json' is damaged"):
        load_progress(workdir)


def test_the_score_of_a_lab(workdir: Workdir) -> None:
    attempts = {"one": Attempt(60, 120, hints=1, checks=2), "gone": Attempt(1, 2)}
    save_progress(workdir, ClassProgress(attempts=attempts))
    score = score_of(workdir, ["one", "two"])
    assert (score.points, score.solved, score.total) == (8, 1, 20)
    assert to_plain(score_record(score))["exercises"] == {
        "one": {"standing": "solved", "points": 8, "minutes": 1.0, "hints": 1, "checks": 2},
        "two": {"standing": "not begun", "points": 0, "minutes": None, "hints": 0, "checks": 0},
    }
