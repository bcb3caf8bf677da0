"""Brings together what a report says of a lab and of a run of its tests, and writes it.

Nothing unredacted is ever written to the report's folder: pytest's own files go to the lab's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from labctl import __version__
from labctl.errors import LabError, UsageError
from labctl.lab.collect import collect_logs
from labctl.lab.saved import load_timings
from labctl.lab.status import read_status
from labctl.model import Topology
from labctl.progress import Progress
from labctl.report.failures import group_failures
from labctl.report.logs import merge
from labctl.report.model import LogLine, Report, Run
from labctl.report.page import render_page
from labctl.report.redact import redact, redact_text, secret_values
from labctl.report.results import load_run
from labctl.report.verdict import judge, packages_kind, verdict_line
from labctl.workdir import Workdir, write_file, write_json

T = TypeVar("T")

JSON, HTML, JUNIT = "report.json", "report.html", "junit.xml"
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
    """Make the folder; an older report in it goes, so that nobody takes it for the new one.

    Errors: UsageError where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*(folder / name for name in (JSON, HTML, JUNIT)), files.results, files.junit):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"No report can be written to '{folder}': {error.strerror}.") from error


def write_report(workdir: Workdir, folder: Path, *, progress: Progress) -> Report:
    """Make the report of the run that just ended: report.json, report.html and junit.xml.

    A lab that is half up is no obstacle: what could not be had becomes a note in the report.
    Errors: LabError, or what the file system says.
    """
    files = Files.of(workdir)
    secrets = load_secrets(workdir)
    run = load_run(files.results)
    if secrets is None:
        report = _gather(workdir, without_details(run), with_logs=False, progress=progress)
        return save_report(replace(report, notes=(NO_SECRETS, *report.notes)), folder, secrets=())
    report = _gather(workdir, run, with_logs=True, progress=progress)
    junit = files.junit.read_text(encoding="utf-8") if files.junit.is_file() else ""
    return save_report(report, folder, secrets=secrets, junit=junit)


def save_report(report: Report, folder: Path, *, secrets: Iterable[str], junit: str = "") -> Report:
    """Write the report's files without any of `secrets`; drills and a crowd in `folder` go in."""
    hidden = frozenset(secrets)
    if junit:
        write_file(folder / JUNIT, redact_text(junit, secrets=hidden))
    return _save(folder, redact(report.to_json() | _drills_and_crowd(folder), secrets=hidden))


def render_again(folder: Path) -> Report:
    """Make the page anew from report.json, with drills.json and crowd.json of the folder.

    Errors: LabError where there is no report or it is damaged.
    """
    path = folder / JSON
    data = _load(path)
    if not isinstance(data, dict):
        raise LabError(
            f"There is no report in '{folder}'.",
            hint="Run 'labctl verify --report DIR' to make one.",
        )
    hidden = load_secrets(Workdir.of(_lab_of(data))) or frozenset()
    return _save(folder, redact(data | _drills_and_crowd(folder), secrets=hidden))


def _lab_of(data: Mapping[str, Any]) -> str:
    """The lab's name, with which its secrets are found where the lab is still here."""
    topology = data.get("topology")
    return Path(str(topology.get("lab", ""))).name if isinstance(topology, dict) else ""


def _save(folder: Path, data: Mapping[str, Any]) -> Report:
    """The page is made from the same data that stands in report.json."""
    report = Report.from_json(json.loads(json.dumps(data)))
    said = {
        "verdict": str(judge(report)),
        "sentence": verdict_line(report),
        "packages": packages_kind(report),
    }
    plain = report.to_json()
    write_json(folder / JSON, {"format": plain.pop("format"), **said, **plain})
    write_file(folder / HTML, render_page(report))
    return report


def _gather(workdir: Workdir, run: Run, *, with_logs: bool, progress: Progress) -> Report:
    topology = workdir.load_topology()
    notes: list[str] = []
    status = _attempt("The state of the lab", lambda: read_status(workdir), notes=notes)
    entries: Sequence[LogLine] = ()
    if run.bad and with_logs:
        entries = (
            _attempt(
                "The logs of the nodes",
                lambda: _entries(workdir, topology, notes=notes, progress=progress),
                notes=notes,
            )
            or ()
        )
    timings = load_timings(workdir)
    since = float(timings["ended"]) if timings else 0.0
    if run.exit_status is None:
        notes.append("The tests were ended before their end; this is what was known until then.")
    return Report(
        made=time.time(),
        version=__version__,
        topology=topology.to_json(),
        run=run,
        status=status,
        timings=timings,
        failures=group_failures(run.bad, entries=entries, topology=topology),
        drills=drills_of(_load(workdir.path / "drills.json", since=since)),
        crowd=_load(workdir.path / "crowd.json", since=since),
        notes=tuple(notes),
    )


def _entries(
    workdir: Workdir, topology: Topology, *, notes: list[str], progress: Progress
) -> list[LogLine]:
    folder = collect_logs(workdir, topology, progress=progress)
    files = {node.name: folder / f"{node.name}.log" for node in topology.nodes}
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
        notes.append(f"{what} could not be had: {error}")
        return None


def without_details(run: Run) -> Run:
    """The run without the texts of its failures."""
    tests = tuple(replace(test, message="(left out)", detail="") for test in run.tests)
    return replace(run, tests=tests)


def drills_of(data: Any) -> list[Mapping[str, Any]] | None:
    """The list of drills in drills.json: a list, or a mapping that holds it as 'drills'."""
    found = data.get("drills") if isinstance(data, dict) else data
    return [it for it in found if isinstance(it, dict)] if isinstance(found, list) else None


def _drills_and_crowd(folder: Path) -> dict[str, Any]:
    """What the report's own folder holds goes before what the lab's holds."""
    drills = drills_of(_load(folder / "drills.json"))
    crowd = _load(folder / "crowd.json")
    found = {"drills": drills, "crowd": crowd if isinstance(crowd, dict) else None}
    return {key: value for key, value in found.items() if value is not None}


def _load(path: Path, *, since: float = 0.0) -> Any:
    """Plain data of a file; None where there is none, or none that is younger than `since`."""
    try:
        if path.stat().st_mtime < since:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def load_secrets(workdir: Workdir) -> frozenset[str] | None:
    """What must not be seen of a lab; None where that cannot be known."""
    data = _load(workdir.secrets_file)
    return frozenset(secret_values(data)) if data else None
