"""A student's way through an exercise, on nodes that pretend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from labctl.cli.classroom import class_command
from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.topology.lab import Lab
from labctl.training import session
from labctl.training.exercise import Exercise
from labctl.training.frame import write_frame
from labctl.training.progress import Standing, load_progress, progress_file
from tests.fakes.nodes import FakeNodes

STOP, START = "systemctl stop jitsi", "systemctl start jitsi"
CHECK = "! systemctl is-active"


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    path = write_frame("mine", folder=tmp_path / "training")
    file = path / "exercise.toml"
    file.write_text(file.read_text().replace('[[check]]\nis = "health"\n', ""))
    return session.get_exercise("mine", folder=path.parent)


@pytest.fixture(autouse=True)
def restored(
    lab: Lab, nodes: FakeNodes, exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The nodes do what the frame's scripts ask for; repairs of the lab are counted."""
    found: list[str] = []
    monkeypatch.setattr(session, "restore", lambda lab, **_: found.append("restored"))
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    nodes.says("jvb1", to=STOP)
    nodes.says("jvb1", to=START)
    nodes.says("jvb1", "The bridge on 'jvb1' does not run.\n", to=CHECK, code=1)
    return found


def run(*words: str) -> Any:
    """The verb of `labctl class`, on the lab of this test."""
    name, *more = words
    command = class_command.commands[name]
    assert isinstance(command, click.Command)
    needs_lab = [] if name == "new" else ["--lab", "demo"]
    return CliRunner().invoke(command, [*needs_lab, *more], standalone_mode=False)


def test_from_the_start_to_the_end(
    lab: Lab, exercise: Exercise, nodes: FakeNodes, restored: list[str]
) -> None:
    session.start(lab, exercise, progress=silent)
    assert restored == ["restored"]
    [began] = nodes.ran_on("jvb1", STOP)
    assert began.sudo and "jms=192.168.56.105\n" in began.text and "node=jvb1\n" in began.text
    wrong = session.check(lab, progress=silent)
    assert (wrong.solved, wrong.wrong) == (False, ("The bridge on 'jvb1' does not run.",))
    nodes.says("jvb1", to=CHECK)
    assert session.check(lab, progress=silent).solved
    attempt = load_progress(lab.folder).attempt("mine")
    assert (attempt.standing, attempt.checks, attempt.points) == (Standing.SOLVED, 2, 10)
    session.reset(lab, progress=silent)
    assert nodes.ran_on("jvb1", START), "its own undo comes first"
    assert load_progress(lab.folder).current == ""


def test_hints_come_one_after_another(lab: Lab, exercise: Exercise) -> None:
    session.start(lab, exercise, progress=silent)
    seen = [session.take_hint(lab) for _ in range(4)]
    assert [(hint.number, hint.of) for hint in seen] == [(1, 3), (2, 3), (3, 3), (3, 3)]
    assert load_progress(lab.folder).attempt("mine").hints == 3


def test_who_lets_the_solution_run_gets_no_points(
    lab: Lab, exercise: Exercise, nodes: FakeNodes
) -> None:
    session.start(lab, exercise, progress=silent)
    session.solve(lab, progress=silent)
    nodes.says("jvb1", to=CHECK)
    assert session.check(lab, progress=silent).solved
    assert load_progress(lab.folder).attempt("mine").standing is Standing.SHOWN


def test_a_solution_that_is_only_read_later_takes_no_points(
    lab: Lab, exercise: Exercise, nodes: FakeNodes
) -> None:
    session.start(lab, exercise, progress=silent)
    nodes.says("jvb1", to=CHECK)
    session.check(lab, progress=silent)
    session.solve(lab, progress=silent)
    assert load_progress(lab.folder).attempt("mine").standing is Standing.SOLVED


def test_a_start_that_fails_is_told_and_begins_anew(
    lab: Lab, exercise: Exercise, nodes: FakeNodes, restored: list[str]
) -> None:
    nodes.says("jvb1", to=STOP, code=1, errors="no such unit\n")
    with pytest.raises(LabError, match=r"'start\.sh' failed on node 'jvb1': no such unit"):
        session.start(lab, exercise, progress=silent)
    with pytest.raises(LabError, match="The start of exercise 'mine' was interrupted"):
        session.check(lab, progress=silent)
    nodes.says("jvb1", to=STOP)
    session.start(lab, exercise, progress=silent)
    assert restored == ["restored", "restored"]


def test_an_undo_that_fails_does_not_keep_the_lab_broken(
    lab: Lab, exercise: Exercise, nodes: FakeNodes, restored: list[str]
) -> None:
    session.start(lab, exercise, progress=silent)
    nodes.silence("jvb1")
    session.reset(lab, progress=silent)
    assert restored == ["restored", "restored"]


def test_an_exercise_whose_folder_is_gone_can_be_reset(lab: Lab, exercise: Exercise) -> None:
    session.start(lab, exercise, progress=silent)
    (exercise.folder / "exercise.toml").unlink()
    session.reset(lab, progress=silent)
    assert load_progress(lab.folder).current == ""


def test_a_lab_that_is_too_small_is_told_what_to_do(lab: Lab) -> None:
    with pytest.raises(LabError) as caught:
        session.start(lab, session.get_exercise("third-bridge"), progress=silent)
    assert "needs 3 bridges and 0 vnodes; lab 'demo' has 2 bridges" in caught.value.message
    assert caught.value.hint == "Run 'labctl up --lab demo --jvbs 2'."


def test_there_is_nothing_to_check_without_an_exercise(lab: Lab) -> None:
    with pytest.raises(UsageError, match="No exercise has been started on lab 'demo'"):
        session.check(lab, progress=silent)


def test_the_verbs(lab: Lab, exercise: Exercise, nodes: FakeNodes) -> None:
    folder = ("--folder", str(exercise.folder.parent))
    listed = json.loads(run("list", *folder, "--json").stdout)
    assert [(each["name"], each["standing"]) for each in listed] == [("mine", "not begun")]
    told = run("start", "mine", *folder)
    assert told.exception is None
    assert "A bridge does not run ('mine', about 5 minutes)" in told.stdout
    checked = run("check")
    assert checked.return_value == 1
    assert "Still wrong:\n  - The bridge on 'jvb1' does not run." in checked.stdout
    assert "Hint 1 of 3" in run("hint").stdout
    nodes.says("jvb1", to=CHECK)
    solved = run("check", "--json")
    assert (solved.return_value, json.loads(solved.stdout)["solved"]) == (0, True)
    scored = json.loads(run("score", *folder, "--json").stdout)
    assert [(each["lab"], each["points"], each["of"]) for each in scored] == [("demo", 8, 10)]
    assert "systemctl start" in run("solve").stdout
    assert "in no exercise" in run("reset").stdout
    assert "  mine    5 min  solved" in run("list", *folder).stdout


def test_a_frame_is_written(tmp_path: Path) -> None:
    done = run("new", "yours", "--folder", str(tmp_path))
    assert done.stdout.strip() == str(tmp_path / "yours")
    assert session.get_exercise("yours", folder=tmp_path).title


def test_another_name_than_that_of_the_current_exercise(lab: Lab, exercise: Exercise) -> None:
    session.start(lab, exercise, progress=silent)
    with pytest.raises(UsageError, match="is in exercise 'mine', not in 'other'"):
        session.check(lab, progress=silent, name="other")


def test_the_state_is_private(lab: Lab, exercise: Exercise) -> None:
    session.start(lab, exercise, progress=silent)
    assert progress_file(lab.folder).stat().st_mode & 0o777 == 0o600
