"""What a lab's folder holds for the views, whole or damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.crowd.record import CrowdRecord
from labctl.drills.journal import Journal, UndoEntry
from labctl.live import records
from labctl.live.records import Records, load_records, records_mark, running_drill
from labctl.topology.workdir import Workdir
from tests.report.make import DRILL


@pytest.fixture
def folder(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path)


def test_an_empty_folder_has_nothing(folder: Workdir) -> None:
    assert load_records(folder) == Records()
    assert running_drill(folder) == ""


def test_everything_is_found(folder: Workdir) -> None:
    crowd = CrowdRecord(lab="demo", room="crowd-1", participants=3)
    (folder.path / "drills.json").write_text(json.dumps([DRILL.to_json()]))
    (folder.path / "crowd.json").write_text(json.dumps(crowd.to_json()))
    (folder.path / "exercise.md").write_text("Join a bridge.")
    found = load_records(folder)
    assert (found.drills, found.crowd, found.exercise) == ((DRILL,), crowd, "Join a bridge.")
    assert found.crowd_ended > 0 and not found.problems


def test_the_mark_changes_with_the_files(folder: Workdir) -> None:
    marks = {records_mark(folder)}
    for name, text in (("drills.json", "[]"), ("exercise.txt", "a"), ("exercise.txt", "ab")):
        (folder.path / name).write_text(text)
        marks.add(records_mark(folder))
    assert len(marks) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot be read"), ('[{"format": 99}]', "newer labctl"), ("[1]", "cannot be read")],
)
def test_a_damaged_file_is_named(folder: Workdir, text: str, said: str) -> None:
    (folder.path / "drills.json").write_text(text)
    found = load_records(folder)
    assert found.drills == ()
    [problem] = found.problems
    assert "'drills.json'" in problem and said in problem


def test_what_is_too_large_is_not_read(folder: Workdir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_RECORD", 10)
    monkeypatch.setattr(records, "MOST_TEXT", 4)
    (folder.path / "crowd.json").write_text(" " * 11)
    (folder.path / "exercise.md").write_text("abcdef")
    found = load_records(folder)
    assert found.exercise == "abcd" and "too large" in found.problems[0]


def test_a_drill_that_is_not_over_is_named(folder: Workdir) -> None:
    Journal(folder, what="bridge-kill").add(UndoEntry("jvb1", "start", "true"))
    assert running_drill(folder) == "bridge-kill"
    (folder.path / "drill.json").write_text("{")
    assert running_drill(folder) == "unknown"
