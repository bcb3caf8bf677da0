"""Collects what a report says about a lab and a run of its tests, and writes it.

Nothing unredacted is ever written to the report's folder: pytest's own files go to the lab's.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from labctl import __version__
from labctl.core.errors import LabError, UsageError
from labctl.core.files import write_file, write_json
from labctl.core.plain import to_plain
from labctl.core.progress import Progress
from labctl.core.state import StateError, load_state
from labctl.crowd.record import CrowdRecord
from labctl.lab.collect import collect_logs
from labctl.lab.saved import load_timings
from labctl.lab.status import read_status
from labctl.render.secrets import load_secrets as read_secrets
from labctl.report.drill import DrillRecord, drills_from_json
from labctl.report.e2e import E2eRecord
from labctl.report.e2epage import read_pictures
from labctl.report.failures import group_failures
from labctl.report.lines import LogLine
from labctl.report.logs import merge
from labctl.report.model import REPORT, Report, Run
from labctl.report.page import render_page
from labctl.report.redact import redact, redact_text, secret_values
from labctl.report.results import load_run
from labctl.report.verdict import judge_report, packages_kind, verdict_line
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

T = TypeVar("T")

JSON, HTML, JUNIT = "report.json", "report.html", "junit.xml"
E2E_JSON, E2E_FILES = "e2e.json", "e2e"
"""An end-to-end suite's results, and the folder with its pictures and logs."""

NO_SECRETS = (
    "The lab's secrets cannot be read, so nothing could be cleared of them: "
    "log lines and details of failures are left out."
)


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run of the suite leaves what a report is made of."""

    results: Path
    junit: Path

    @classmethod
    def of(cls, workdir: Workdir) -> Files:
        return cls(workdir.path / "results.jsonl", workdir.path / JUNIT)


def ensure_empty(folder: Path, *, files: Files) -> None:
    """Make the folder and remove an older report from it, so that nobody takes it for the new one.

    Errors: UsageError if the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*(folder / name for name in (JSON, HTML, JUNIT)), files.results, files.junit):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"No report can be written to '{folder}': {error.strerror}.") from error


def write_report(lab: Lab, folder: Path, *, progress: Progress) -> Report:
    """Write the report of the run that just ended: report.json, report.html and junit.xml.

    A lab that is only half up is fine: what could not be read becomes a note in the report.
    Errors: LabError, or what the file system says."""
    files = Files.of(lab.folder)
    hidden = load_secrets(lab.folder)
    run = load_run(files.results)
    _bring_e2e(lab.folder, folder)
    if hidden is None:
        report = _gather(lab, without_details(run), with_logs=False, progress=progress)
        return save_report(replace(report, notes=(NO_SECRETS, *report.notes)), folder, secrets=())
    report = _gather(lab, run, with_logs=True, progress=progress)
    junit = files.junit.read_text(encoding="utf-8") if files.junit.is_file() else ""
    return save_report(report, folder, secrets=hidden, junit=junit)


def save_report(report: Report, folder: Path, *, secrets: Iterable[str], junit: str = "") -> Report:
    """Write the report's files without any of `secrets`; drills and a crowd in `folder` go in."""
    hidden = frozenset(secrets)
    if junit:
        write_file(folder / JUNIT, redact_text(junit, secrets=hidden))
    return _save(folder, with_folder(report, folder), secrets=hidden)


def render_again(folder: Path) -> Report:
    """Render the page again from report.json, with drills.json and crowd.json of the folder.

    Errors: LabError if there is no report or it is damaged."""
    path = folder / JSON
    if not path.exists():
        raise LabError(
            f"There is no report in '{folder}'.",
            hint="Run 'labctl verify --report DIR' to write one.",
        )
    report = load_state(path, REPORT)
    # The lab may be here still; its name is from a file, and must not lead anywhere else.
    hidden = load_secrets(Workdir.of(Path(report.topology.lab).name)) or frozenset()
    return _save(folder, with_folder(report, folder), secrets=hidden)


def _save(folder: Path, report: Report, *, secrets: frozenset[str]) -> Report:
    """The page is made from the same data as report.json."""
    report = Report.from_json(redact(report.to_json(), secrets=secrets))
    said = {
        "verdict": str(judge_report(report)),
        "sentence": verdict_line(report),
        "packages": packages_kind(report),
    }
    plain = report.to_json()
    write_json(folder / JSON, {"format": plain.pop("format"), **said, **plain})
    pictures = read_pictures(report.e2e, folder) if report.e2e is not None else {}
    write_file(folder / HTML, render_page(report, pictures=pictures))
    return report


def _gather(lab: Lab, run: Run, *, with_logs: bool, progress: Progress) -> Report:
    topology = lab.topology
    notes: list[str] = []
    status = _attempt("The state of the lab", lambda: read_status(lab), notes=notes)
    entries: Sequence[LogLine] = ()
    if run.bad and with_logs:
        entries = (
            _attempt(
                "The logs of the nodes",
                lambda: read_log_lines(lab, notes=notes, progress=progress),
                notes=notes,
            )
            or ()
        )
    folder = lab.folder
    timings = _attempt("Timings", lambda: load_timings(folder), notes=notes)
    since = timings.ended if timings else 0.0
    drills = _attempt("Drills", lambda: _drills_in(folder.path, since=since), notes=notes)
    crowd = _attempt("The crowd", lambda: _crowd_in(folder.path, since=since), notes=notes)
    if run.exit_status is None:
        notes.append("The tests were stopped before they finished; this is what was known by then.")
    return Report(
        made=time.time(),
        version=__version__,
        topology=topology,
        run=run,
        status=status,
        timings=timings,
        failures=group_failures(run.bad, entries=entries, topology=topology),
        drills=drills,
        crowd=crowd,
        notes=tuple(notes),
    )


def read_log_lines(lab: Lab, *, notes: list[str], progress: Progress) -> list[LogLine]:
    """The log lines of all nodes in order of time; `notes` get a sentence on each silent node.

    Errors: OSError."""
    folder = collect_logs(lab, progress=progress)
    files = {node.name: folder / f"{node.name}.log" for node in lab.topology.nodes}
    texts = {
        name: path.read_text(encoding="utf-8", errors="replace") for name, path in files.items()
    }
    entries = merge(texts)
    heard = {entry.node for entry in entries}
    for name in texts.keys() - heard:
        said = texts[name].strip().partition("\n")[0] or "it said nothing"
        notes.append(f"No log lines of node '{name}': {said}")
    return entries


def _attempt(what: str, work: Callable[[], T], *, notes: list[str]) -> T | None:
    """The work's outcome, or None and a note: a broken lab must not cost its report."""
    try:
        return work()
    except (LabError, OSError) as error:
        notes.append(f"{what} could not be read: {error}")
        return None


def without_details(run: Run) -> Run:
    """The run without the texts of its failures."""
    tests = tuple(replace(test, message="(left out)", detail="") for test in run.tests)
    return replace(run, tests=tests)


def with_folder(report: Report, folder: Path) -> Report:
    """The report with the suite, drills and crowd of a folder, which go before those of the lab.

    If one cannot be read, a note in the report says so."""
    notes: list[str] = []
    drills = _attempt("drills.json", lambda: _drills_in(folder), notes=notes)
    crowd = _attempt("crowd.json", lambda: _crowd_in(folder), notes=notes)
    e2e = _attempt(E2E_JSON, lambda: _e2e_in(folder), notes=notes)
    return replace(
        report,
        e2e=report.e2e if e2e is None else e2e,
        drills=report.drills if drills is None else drills,
        crowd=report.crowd if crowd is None else crowd,
        notes=(*report.notes, *(note for note in notes if note not in report.notes)),
    )


def _drills_in(folder: Path, *, since: float = 0.0) -> tuple[DrillRecord, ...] | None:
    data = _load(folder / "drills.json", since=since)
    return None if data is None else drills_from_json(data)


def _crowd_in(folder: Path, *, since: float = 0.0) -> CrowdRecord | None:
    data = _load(folder / "crowd.json", since=since)
    return None if data is None else CrowdRecord.from_json(data)


def _e2e_in(folder: Path) -> E2eRecord | None:
    data = _load(folder / E2E_JSON, since=0.0)
    return None if data is None else E2eRecord.from_json(data)


def _bring_e2e(workdir: Workdir, folder: Path) -> None:
    """Copy the results of the lab's last end-to-end suite, with its files, to a report's folder.

    They are left where they are if they are older than the last `up`, or than those in `folder`.
    """
    source, target = workdir.path / E2E_JSON, folder / E2E_JSON
    try:
        timings = load_timings(workdir)
        since = [timings.ended] if timings else []
        since += [target.stat().st_mtime] if target.is_file() else []
        if not source.is_file() or source.stat().st_mtime < max(since, default=0.0):
            return
        shutil.rmtree(folder / E2E_FILES, ignore_errors=True)
        if (workdir.path / E2E_FILES).is_dir():
            shutil.copytree(workdir.path / E2E_FILES, folder / E2E_FILES)
        shutil.copy2(source, target)
    except (LabError, OSError):
        return  # the report says what it has; a suite that is not in it is no error


def _load(path: Path, *, since: float) -> object:
    """Plain data of a file; None where there is none, or none that is younger than `since`.

    Errors: LabError for what is not JSON.
    """
    if not path.is_file() or path.stat().st_mtime < since:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LabError(f"'{path}' is not JSON ({error}).") from error


def load_secrets(workdir: Workdir) -> frozenset[str] | None:
    """The secrets of a lab; None if they cannot be read."""
    try:
        return frozenset(secret_values(to_plain(read_secrets(workdir))))
    except StateError:
        return None
