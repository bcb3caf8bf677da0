"""What happened to each test, written down while the suite runs: `labctl verify --report`.

A pytest plugin (`-p acceptance.reporting`).  With LABCTL_RESULTS naming a file it writes one JSON
line per test as soon as that test is over, so that a suite that is killed leaves what it had.
The lines are documented in docs/report.md; `labctl.report.results` reads them.
"""

from __future__ import annotations

import inspect
import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "LABCTL_RESULTS"
DETAIL_CHARACTERS = 12_000
"""How much of a failure's text is kept: its end, where pytest puts what matters."""

NOT_FOR_PEOPLE = frozenset(("parametrize", "usefixtures", "skip", "skipif", "xfail"))


def pytest_configure(config: pytest.Config) -> None:
    """Workers of a distributed run hand their reports to the controller, which writes."""
    path = os.environ.get(VARIABLE)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(Path(path)), "labctl-results")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give every report what only the item knows; pytest carries it between processes."""
    report = yield
    function = getattr(item, "function", None)
    report.labctl = {  # type: ignore[attr-defined]
        "doc": inspect.getdoc(function) or "",
        "markers": sorted({mark.name for mark in item.iter_markers()} - NOT_FOR_PEOPLE),
    }
    return report


class Results:
    """Collects the phases of each test and writes its line after the last one."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._phases: dict[str, list[pytest.TestReport]] = {}
        self._deselected = 0
        self._write(kind="began", at=time.time())

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # The controller of a distributed run has no items: how many there are it does not say.
        count = len(getattr(session, "items", ()))
        self._write(kind="chosen", count=count, deselected=self._deselected)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported is a failure, too: its tests did not run."""
        if report.failed:
            now = time.time()
            self._write(
                kind="test",
                nodeid=report.nodeid or "collection",
                doc="",
                markers=[],
                outcome="error",
                started=now,
                ended=now,
                seconds={},
                message=_message(report),
                detail=report.longreprtext[-DETAIL_CHARACTERS:],
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._phases.setdefault(report.nodeid, []).append(report)
        if report.when == "teardown":
            self._finish(report.nodeid)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        for nodeid in list(self._phases):
            self._finish(nodeid)
        self._write(kind="ended", at=time.time(), exit_status=int(exitstatus))
        self._file.close()

    def _finish(self, nodeid: str) -> None:
        phases = self._phases.pop(nodeid)
        told = next((it for it in phases if it.failed), None)
        told = told or next((it for it in phases if it.skipped), phases[-1])
        self._write(
            kind="test",
            nodeid=nodeid,
            **getattr(phases[0], "labctl", {"doc": "", "markers": []}),
            outcome=outcome_of(phases),
            started=min(phase.start for phase in phases),
            ended=max(phase.stop for phase in phases),
            seconds={str(phase.when): round(phase.duration, 4) for phase in phases},
            message=_message(told),
            detail=told.longreprtext[-DETAIL_CHARACTERS:] if told.failed else "",
        )

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()


def outcome_of(phases: list[pytest.TestReport]) -> str:
    """passed, failed, error (before or after the test itself), skipped, xfailed or xpassed."""
    failed = next((phase for phase in phases if phase.failed), None)
    if failed is not None:
        return "failed" if failed.when == "call" else "error"
    expected_to_fail = any(hasattr(phase, "wasxfail") for phase in phases)
    if any(phase.skipped for phase in phases):
        return "xfailed" if expected_to_fail else "skipped"
    if not any(phase.when == "call" for phase in phases):
        return "error"
    return "xpassed" if expected_to_fail else "passed"


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The sentence of a failure or the reason of a skip; empty for what passed."""
    if report.passed:
        return ""
    if reason := getattr(report, "wasxfail", ""):
        return str(reason)
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(crash.message) if crash is not None else report.longreprtext.strip()
    return said.removeprefix("Failed: ")  # pytest's own name for what `pytest.fail` raises
