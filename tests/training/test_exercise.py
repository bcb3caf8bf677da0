"""Exercises as folders: what is read, and everything that is wrong with one at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.training.checks.table import problems_of
from labctl.training.exercise import (
    ExerciseStep,
    list_exercises,
    load_exercise,
    parse_hints,
)
from labctl.training.frame import write_frame
from labctl.training.session import get_exercise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_frame("mine", folder=tmp_path)
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "mine" / "exercise.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_our_own_exercises_are_complete() -> None:
    exercises = list_exercises()
    assert len(exercises) >= 12
    for exercise in exercises:
        assert problems_of(exercise) == []
        assert len(exercise.hints) >= 3, exercise.name
        assert exercise.start and exercise.solve and exercise.story
        for step in (*exercise.start, *exercise.solve, *exercise.undo):
            assert not step.run or exercise.script(step).startswith("#!/bin/sh\n")


def test_the_frame_is_an_exercise(folder: Path) -> None:
    exercise = get_exercise("mine", folder=folder)
    assert exercise.start == (ExerciseStep("jvb1", "start.sh"),)
    assert [call.name for call in exercise.checks] == ["script", "health"]
    assert len(exercise.hints) == 3
    assert exercise.hints[2] == "`sudo systemctl start jitsi-videobridge2`."


def test_a_frame_does_not_write_over_an_exercise(folder: Path) -> None:
    with pytest.raises(UsageError, match="is already there"):
        write_frame("mine", folder=folder)
    with pytest.raises(UsageError, match=r"'\.\./mine' is not a valid name"):
        write_frame("../mine", folder=folder)


def test_an_unknown_exercise_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no exercise 'mime'\. Did you mean 'mine'\?"):
        load_exercise("mime", folder=folder)


def test_everything_that_is_wrong_is_told_at_once(folder: Path) -> None:
    change(folder, "minutes = 5", 'minutes = "5"')
    change(folder, "bridges = 2", "bridge = 2")
    change(folder, 'run = "start.sh"', 'run = "begin.sh"')
    (folder / "mine" / "story.md").unlink()
    with pytest.raises(LabError) as caught:
        load_exercise("mine", folder=folder)
    lines = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert lines == [
        "unknown key 'bridge' (did you mean 'bridges'?)",
        "'minutes' must be a whole number",
        "'story.md' is missing",
        "start 1: 'begin.sh' is missing",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('is = "health"', 'is = "heath"', "there is no check 'heath'. Did you mean 'health'?"),
        ('is = "health"', 'is = "seats"', "'seats' needs 'seats'"),
        ('is = "health"', 'is = "seats"\nseats = "5"', "'seats' of 'seats' is not a int"),
        ('is = "health"', 'is = "health"\nexept = []', "'health' has no key 'exept'"),
        ('run = "check.sh"', 'run = "chek.sh"', "'chek.sh' is missing"),
    ],
    ids=["unknown", "lacking", "of another type", "strange", "no script"],
)
def test_a_check_that_cannot_be_run(folder: Path, old: str, new: str, said: str) -> None:
    change(folder, old, new)
    with pytest.raises(LabError) as caught:
        get_exercise("mine", folder=folder)
    assert said in caught.value.message


def test_a_call_needs_people(folder: Path) -> None:
    change(folder, 'on = "jvb1"\nrun = "start.sh"', 'on = "call"\nrun = "start.sh"')
    with pytest.raises(LabError, match="'on = \"call\"' needs 'people'"):
        load_exercise("mine", folder=folder)


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "mine" / "exercise.toml").write_text("title = ")
    with pytest.raises(LabError, match=r"Exercise 'mine': '.*exercise.toml' cannot be read"):
        load_exercise("mine", folder=folder)


def test_hints_are_the_sections_of_the_page() -> None:
    assert parse_hints(
        "# Hints\nnot shown\n\n## One\n\nfirst\n\n### more\nof it\n## Two\nsecond\n"
    ) == (
        "first\n\n### more\nof it",
        "second",
    )
    assert parse_hints("nothing") == ()
