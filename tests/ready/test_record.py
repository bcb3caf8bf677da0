"""When media last passed: what is kept, and what status says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.ready.record import (
    NAME,
    BridgeRecord,
    MediaRecord,
    load_record,
    save_record,
)
from labctl.topology.workdir import Workdir

BRIDGES = ("jvb", "jvb1")
EARLY, LATE = "2026-11-28T10:00:00+00:00", "2026-11-28T11:00:00+00:00"


@pytest.fixture
def folder(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path)


def test_a_pass_and_a_failure_are_kept_side_by_side(folder: Workdir) -> None:
    save_record(folder, {"jvb": "", "jvb1": ""}, by="up")
    first = load_record(folder)
    assert first.passed(BRIDGES) == first.of("jvb").passed != ""
    save_record(folder, {"jvb1": "No media through bridge 'jvb1'."}, by="verify")
    record = load_record(folder)
    assert record.of("jvb") == first.of("jvb")
    assert record.of("jvb1").passed == first.of("jvb1").passed
    assert record.passed(BRIDGES) == ""
    assert record.wrong(BRIDGES).startswith("No media through bridge 'jvb1'. ('verify' tried at ")


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "bridges": {}}', '{"format": 1}',
                                  '{"format": 1, "bridges": {"jvb": 3}}'])  # fmt: skip
def test_a_file_of_another_kind_is_no_record(folder: Workdir, text: str) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / NAME).write_text(text, encoding="utf-8")
    assert load_record(folder) == MediaRecord()


@pytest.mark.parametrize(
    ("bridges", "passed", "wrong"),
    [
        pytest.param({}, "", "nothing has been sent through bridge 'jvb' yet", id="never"),
        pytest.param(
            {"jvb": BridgeRecord(LATE, LATE), "jvb1": BridgeRecord(EARLY, EARLY)},
            EARLY,
            "",
            id="the earlier of both",
        ),
        pytest.param(
            {"jvb": BridgeRecord(LATE, LATE)}, "", "through bridge 'jvb1' yet", id="a new bridge"
        ),
    ],
)
def test_what_is_told(bridges: dict[str, BridgeRecord], passed: str, wrong: str) -> None:
    record = MediaRecord(bridges)
    assert record.passed(BRIDGES) == passed
    assert wrong in record.wrong(BRIDGES)
    assert bool(record.wrong(BRIDGES)) is bool(wrong)
