"""An end-to-end suite in the report of a lab."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.files import write_json
from labctl.core.progress import UpTimings
from labctl.lab import report as module
from labctl.lab.report import render_again, save_report, write_report
from labctl.report.e2e import SpecOutcome
from labctl.report.model import Report
from labctl.report.verdict import ReportVerdict, judge_report, verdict_line
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir
from tests.e2e.make import PNG, record_of
from tests.report.make import START, report_of, run_of, test_of, topology
from tests.report.test_page import Page, page_of

PICTURE = Path("e2e", "ui", "chat", "1", "p1.png")


def passed(**changes: object) -> Report:
    """A report of a lab whose acceptance tests passed."""
    return report_of(test_of(), drills=None, failures=(), **changes)


def write_results(folder: Path) -> None:
    """What `labctl e2e` leaves."""
    write_json(folder / "e2e.json", record_of().to_json())
    (folder / PICTURE).parent.mkdir(parents=True)
    (folder / PICTURE).write_bytes(PNG)


def test_specs_that_fail_decide() -> None:
    good = passed(e2e=record_of(*record_of().specs[:1]))
    assert judge_report(good) is ReportVerdict.PASSED
    assert "end-to-end" not in verdict_line(good)
    bad = passed(e2e=record_of())
    assert judge_report(bad) is ReportVerdict.FAILED
    assert verdict_line(bad).startswith(
        "1 tests passed, but the end-to-end suite did not go well, on lab 'demo'"
    )
    assert "1 end-to-end spec failed" in verdict_line(bad)
    flaky = [spec for spec in record_of().specs if spec.outcome is not SpecOutcome.FAILED]
    assert judge_report(passed(e2e=record_of(*flaky))) is ReportVerdict.PASSED
    assert Report.from_json(bad.to_json()) == bad


def test_the_page_has_a_part_for_it() -> None:
    page = page_of(passed(e2e=record_of()))
    said = " ".join(page.words)
    assert "End to end (5)" in said
    assert record_of().sentence in said
    assert "✕ failed: ui/chat" in said
    without = " ".join(page_of(passed()).words)
    assert "End to end" not in without


def test_results_in_the_folder_go_in(tmp_path: Path) -> None:
    save_report(passed(), tmp_path, secrets=())
    assert "img" not in {tag for tag, _ in Page((tmp_path / "report.html").read_text()).elements}
    write_results(tmp_path)
    report = render_again(tmp_path)
    assert report.e2e == record_of()
    page = Page((tmp_path / "report.html").read_text())
    (image,) = [given for tag, given in page.elements if tag == "img"]
    assert (image["src"] or "").startswith("data:image/png;base64,")


def test_results_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "e2e.json").write_text('{"format": 99}')
    report = save_report(passed(), tmp_path, secrets=())
    assert report.e2e is None
    assert any("e2e.json could not be read" in note for note in report.notes)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    """A lab's folder with the results of a suite; its last `up` ended at START."""
    found = Workdir(tmp_path / "demo")
    found.save_topology(topology())
    write_results(found.path)
    monkeypatch.setattr(module, "read_status", lambda lab: None)
    monkeypatch.setattr(module, "load_timings", lambda _: UpTimings(START, 1.0, {}))
    monkeypatch.setattr(module, "load_run", lambda _: run_of(test_of()))
    return found


def report_to(folder: Path, workdir: Workdir) -> Report:
    folder.mkdir(exist_ok=True)
    return write_report(Lab(workdir, topology()), folder, progress=lambda *_, **__: None)


def test_results_of_the_lab_are_brought_with_their_files(workdir: Workdir, tmp_path: Path) -> None:
    report = report_to(tmp_path / "out", workdir)
    assert report.e2e == record_of()
    assert (tmp_path / "out" / PICTURE).read_bytes() == PNG
    assert "data:image/png" in (tmp_path / "out" / "report.html").read_text()


def test_newer_results_replace_those_of_the_last_report(workdir: Workdir, tmp_path: Path) -> None:
    report_to(tmp_path / "out", workdir)
    newer = replace(record_of(), suite="/src/other")
    write_json(workdir.path / "e2e.json", newer.to_json())
    assert report_to(tmp_path / "out", workdir).e2e == newer
    own = replace(record_of(), suite="/src/third")
    write_json(tmp_path / "out" / "e2e.json", own.to_json())
    os.utime(workdir.path / "e2e.json", (START + 5, START + 5))
    assert report_to(tmp_path / "out", workdir).e2e == own


def test_results_from_before_the_last_up_stay_where_they_are(
    workdir: Workdir, tmp_path: Path
) -> None:
    os.utime(workdir.path / "e2e.json", (START - 5, START - 5))
    assert report_to(tmp_path / "out", workdir).e2e is None
