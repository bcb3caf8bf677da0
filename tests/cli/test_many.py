"""`labctl up --count`, and removing all labs of a name, over machines and nodes that pretend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli import stop
from labctl.cli.handout import handout_command
from labctl.cli.up import up_command
from labctl.core.errors import LabError, UsageError
from labctl.core.exits import ExitCode
from labctl.lab import current, many, room
from labctl.lab import up as lab_up
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.spec import Role
from labctl.topology.workdir import Workdir
from tests.fakes.host import FakeHost
from tests.fakes.nodes import FakeNodes
from tests.schemas import checked


@pytest.fixture(autouse=True)
def labs(lab: Lab, nodes: FakeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all labs."""
    folder = tmp_path / "many" / ".lab"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Workdir, "of", lambda name, **_: Workdir(folder / name))
    monkeypatch.setattr(current, "CURRENT", folder / "current")
    monkeypatch.setattr(current, "ensure_plain_vagrant", lambda *_: None)
    monkeypatch.setattr(current, "remove_plain_vagrant", lambda *_: None)
    monkeypatch.setattr(many, "ensure_images_of", lambda *_, **__: dict.fromkeys(Role, "image"))
    monkeypatch.setattr(many, "ensure_provider", lambda *_, **__: None)
    monkeypatch.setattr(lab_up, "ensure_provider", lambda *_, **__: None)
    monkeypatch.setattr(room, "disk_free_mib", lambda _: None)
    monkeypatch.setattr(room, "available_mib", lambda: 64 * 1024)
    for node in lab.topology.nodes:
        FakeHost.on(nodes, node.name)
    return folder


def run(command: Any, *words: str) -> Any:
    return CliRunner().invoke(command, [*words], standalone_mode=False)


def up(*words: str, count: int = 2) -> Any:
    shape = ["--jvbs", "1", "--visitors", "2", "--network", "10.9.0.0/24", "--at-once", "1"]
    return run(up_command, "--count", str(count), "--lab", "course", *shape, *words)


def test_labs_come_up_with_a_page_each(labs: Path) -> None:
    done = up("--json")
    assert done.exception is None and done.return_value == ExitCode.DONE
    told = checked("up-count", done.stdout)
    assert [lab["lab"] for lab in told["labs"]] == ["course-1", "course-2"]
    assert [lab["network"] for lab in told["labs"]] == ["10.9.0.0/24", "10.9.1.0/24"]
    assert all(lab["ready"] and Path(lab["handout"]).is_file() for lab in told["labs"])
    assert "course-2/handout.html" in Path(told["index"]).read_text()
    keys = {(labs / name / "ssh" / "id_ed25519").read_text() for name in ("course-1", "course-2")}
    assert len(keys) == 2
    assert current.current_lab() == "course-1"
    assert "course-2   jvb1: placing files" in done.stderr


def test_one_that_fails_stops_no_other_and_the_same_command_continues(labs: Path) -> None:
    with locked(Workdir(labs / "course-1"), what="drill run"):
        done = up()
    assert done.return_value == ExitCode.FAILED
    assert "1 of 2 labs 'course' are media-ready." in done.stdout
    assert "FAILED: Lab 'course-1' is held by 'labctl drill run'" in done.stdout
    assert "the same command continues" in done.stdout
    again = up()
    assert again.return_value == ExitCode.DONE
    assert "1 new lab, 1 are there already" in again.stderr
    assert "2 of 2 labs 'course' are media-ready." in again.stdout


def test_too_many_labs_are_refused(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_mib", lambda: 8 * 1024)
    error = up(count=20).exception
    assert isinstance(error, LabError)
    assert error.message.startswith("20 labs need at least")
    assert not labs.exists()


@pytest.mark.parametrize(
    "words", [("--count", "2", "--watch"), ("--at-once", "2")], ids=["--watch", "--at-once alone"]
)
def test_flags_that_do_not_go_together(words: tuple[str, ...]) -> None:
    assert isinstance(run(up_command, *words).exception, UsageError)


def test_all_labs_of_a_name_go_and_no_other(labs: Path) -> None:
    up()
    (labs / "other-1").mkdir()
    done = run(stop.destroy_command, "--all-of", "course")
    assert done.return_value == ExitCode.DONE
    assert [path.name for path in labs.glob("[!.]*")] == ["other-1"]
    assert isinstance(run(stop.down_command, "--all-of", "course").exception, LabError)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_one_question_for_all_that_run(
    answer: str, labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up()
    monkeypatch.setattr(stop, "is_terminal", lambda: True)
    done = CliRunner().invoke(
        stop.destroy_command, ["--all-of", "course"], input=answer, standalone_mode=False
    )
    assert done.stderr.count("[y/N]") == 1
    assert "These labs run: course-1, course-2." in done.stderr
    assert (labs / "course-1").exists() is (answer == "n")


def test_pages_are_written_again(labs: Path) -> None:
    up()
    page = labs / "course-2" / "handout.html"
    page.unlink()
    done = run(handout_command, "--all-of", "course")
    assert page.is_file() and str(page) in done.stdout
    assert isinstance(run(handout_command, "--all-of", "none").exception, LabError)


def test_a_lab_keeps_what_it_is_without_its_siblings(labs: Path) -> None:
    up()
    saved = json.loads((labs / "course-2" / "spec.json").read_text())["keys"]
    assert saved["lab"] == "course-2" and saved["network"] == "10.9.1.0/24"
