"""Results of runs that ended well, failed, crashed, hung, or never began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labctl.e2e.results import read_attempt
from labctl.report.e2e import AttemptRecord, SpecOutcome

BEGAN = {"kind": "began", "at": 1.0}
ENDED = {"kind": "ended", "at": 9.0, "failures": 0, "message": ""}
PASS = {"kind": "case", "title": "t: a", "outcome": "passed", "seconds": 1.0, "message": ""}
FAIL = {**PASS, "title": "t: b", "outcome": "failed", "message": "no\nwhy", "ended": 8.0}
SKIP = {**PASS, "title": "t: c", "outcome": "skipped"}


def read(
    tmp_path: Path, *lines: dict[str, Any], code: int | None = 0, output: str = "", cut: str = ""
) -> AttemptRecord:
    path = tmp_path / "results.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + cut)
    files = Path("e2e/a/1")
    return read_attempt(path, code=code, output=output, started=5.0, ended=15.0, files=files)


def test_a_run_that_went_well(tmp_path: Path) -> None:
    found = read(tmp_path, BEGAN, PASS, SKIP, ENDED)
    assert found.outcome is SpecOutcome.PASSED
    assert [case.title for case in found.cases] == ["t: a", "t: c"]
    assert (found.problem, found.message) == ("", "")
    assert found.files == ("e2e/a/1/wdio.log",)


def test_a_test_that_fails(tmp_path: Path) -> None:
    shot = {"kind": "file", "name": "p1.png"}
    found = read(tmp_path, BEGAN, PASS, shot, FAIL, {**ENDED, "failures": 1}, code=1)
    assert found.outcome is SpecOutcome.FAILED
    assert found.message == "t: b: no"
    assert found.pictures == ("e2e/a/1/p1.png",)
    assert found.window == (7.0, 8.0), "when the test that failed ran"


@pytest.mark.parametrize(
    ("message", "console", "disturbed"),
    [
        ("no", "SEVERE https://a/b.js - Failed to load resource: net::ERR_NETWORK_CHANGED\n", True),
        ("unknown error: net::ERR_NETWORK_CHANGED", None, True),
        ("no", "SEVERE net::ERR_CONNECTION_REFUSED\n", False),
        ("no", None, False),
    ],
)
def test_a_run_that_this_machine_disturbed(
    message: str, console: str | None, disturbed: bool, tmp_path: Path
) -> None:
    if console is not None:
        (tmp_path / "p1.console.txt").write_text(console)
    kept = {"kind": "file", "name": "p1.console.txt"}
    failed = {**FAIL, "message": message}
    found = read(tmp_path, BEGAN, kept, failed, {**ENDED, "failures": 1}, code=1)
    assert bool(found.disturbed) is disturbed
    assert found.outcome is SpecOutcome.FAILED
    assert not read(tmp_path, BEGAN, kept, {**PASS, "message": message}, ENDED).disturbed


def test_all_skipped(tmp_path: Path) -> None:
    assert read(tmp_path, BEGAN, SKIP, ENDED).outcome is SpecOutcome.SKIPPED


@pytest.mark.parametrize(
    ("lines", "code", "output", "said"),
    [
        ([BEGAN, PASS], None, "", "It did not end within 10 s."),
        (
            [BEGAN, {**ENDED, "failures": 1, "message": "session not created"}],
            1,
            "",
            "No browser could be had: session not created",
        ),
        (
            [],
            1,
            "[0-0] 2026-11-29T05:01:10.410Z ERROR @wdio/x: SyntaxError: Unexpected token\nbye\n",
            "WebdriverIO ended with exit status 1 before its first test: "
            "SyntaxError: Unexpected token",
        ),
        (
            [BEGAN, PASS],
            -11,
            "all fine\nSegmentation fault\n",
            "WebdriverIO ended with exit status -11 after 1 tests: Segmentation fault",
        ),
        (
            [BEGAN, {**ENDED, "failures": 1}],
            1,
            "[0-0] Error:  Unable to load spec files\nError: Error: Cannot find module 'x'\n",
            "WebdriverIO ended with exit status 1 although no test failed: "
            "Error: Cannot find module 'x'",
        ),
        (
            [BEGAN, PASS],
            0,
            "",
            "WebdriverIO ended with exit status 0 after 1 tests: it printed nothing",
        ),
    ],
    ids=["hung", "no session", "broken", "crashed", "not loaded", "no end"],
)
def test_a_run_that_fails_as_a_whole(
    lines: list[dict[str, Any]], code: int | None, output: str, said: str, tmp_path: Path
) -> None:
    found = read(tmp_path, *lines, code=code, output=output)
    assert found.problem == said
    assert found.outcome is SpecOutcome.FAILED
    assert found.message == said
    assert found.window == (5.0, 15.0)


def test_a_line_that_was_cut_off(tmp_path: Path) -> None:
    found = read(tmp_path, BEGAN, FAIL, code=-15, cut='{"kind": "ca')
    assert [case.title for case in found.cases] == ["t: b"]


def test_no_file_of_results(tmp_path: Path) -> None:
    found = read_attempt(
        tmp_path / "none", code=1, output="", started=0, ended=1, files=Path("e2e/a/1")
    )
    assert "before its first test" in found.problem
