"""What the suite's plugin writes and the report reads, with a real pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.report.model import Report, ReportOutcome
from labctl.report.results import load_run
from labctl.topology.workdir import ROOT
from tests.report.make import report_of

SUITE = '''
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no lab")

@pytest.fixture
def untidy():
    yield
    raise RuntimeError("left something")

@pytest.mark.ports
@pytest.mark.parametrize("n", [1, 2])
def test_n(n):
    """When this fails, n is 2."""
    assert n == 1, "n is two"

def test_skipped():
    pytest.skip("not in this lab")

@pytest.mark.xfail(reason="upstream #1050", strict=False)
def test_weak():
    assert False

@pytest.mark.xfail(reason="upstream #1050", strict=False)
def test_better():
    pass

def test_before(broken):
    pass

def test_after(untidy):
    pass

@pytest.mark.slow
def test_not_chosen():
    pass
'''


def run_suite(folder: Path, text: str = SUITE, *words: str) -> tuple[int, Path]:
    (folder / "test_suite.py").write_text(text)
    results = folder / "results.jsonl"
    argv = [sys.executable, "-m", "pytest", "-p", "acceptance.reporting", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*argv, "-q", "--rootdir", folder, "-c", os.devnull, *words, folder / "test_suite.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LABCTL_RESULTS": str(results)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, results


@pytest.mark.programs
def test_every_outcome(tmp_path: Path) -> None:
    code, results = run_suite(tmp_path, SUITE, "-m", "not slow")
    run = load_run(results)
    assert (run.exit_status, run.chosen, run.deselected) == (code, 7, 1)
    assert {test.name: str(test.outcome) for test in run.tests} == {
        "test_n[1]": "passed",
        "test_n[2]": "failed",
        "test_skipped": "skipped",
        "test_weak": "xfailed",
        "test_better": "xpassed",
        "test_before": "error",
        "test_after": "error",
    }
    messages = {test.name: test.message for test in run.tests}
    assert messages["test_n[1]"] == ""
    assert messages["test_n[2]"].startswith("AssertionError: n is two")
    assert messages["test_skipped"] == "not in this lab"
    assert messages["test_before"] == "RuntimeError: no lab"
    failed = next(test for test in run.tests if test.name == "test_n[2]")
    assert (failed.doc, failed.markers) == ("When this fails, n is 2.", ("ports",))
    assert run.began is not None and run.ended is not None
    assert run.began <= failed.started <= failed.ended <= run.ended
    assert failed.total > 0


@pytest.mark.programs
def test_file_that_cannot_be_imported_is_a_failure(tmp_path: Path) -> None:
    code, results = run_suite(tmp_path, "import nothing_like_this\n")
    run = load_run(results)
    assert code == run.exit_status == 2
    assert [test.outcome for test in run.bad] == [ReportOutcome.ERROR]
    assert "nothing_like_this" in run.bad[0].message


@pytest.mark.programs
def test_suite_that_is_killed_leaves_what_it_had(tmp_path: Path) -> None:
    text = "import os\ndef test_a(): pass\ndef test_b(): os._exit(9)\ndef test_c(): pass\n"
    code, results = run_suite(tmp_path, text)
    with results.open("a") as file:
        file.write('{"kind": "test", "node')
    run = load_run(results)
    assert code == 9
    assert [test.name for test in run.tests] == ["test_a"]
    assert (run.exit_status, run.not_run) == (None, 2)


def test_no_results_at_all(tmp_path: Path) -> None:
    assert load_run(tmp_path / "none").tests == ()


def test_report_survives_its_json() -> None:
    report = report_of()
    again = Report.from_json(report.to_json())
    assert again.run == report.run
    assert again.failures == report.failures
    assert again.to_json() == report.to_json()
