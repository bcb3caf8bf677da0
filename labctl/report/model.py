"""A report as values.  `Report.to_json` is what report.json holds; docs/report.md describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import UpTimings
from labctl.core.state import StateKind, read_document
from labctl.crowd.record import CrowdRecord
from labctl.report.drill import DrillRecord, drills_from_json, drills_to_json
from labctl.report.e2e import E2eRecord
from labctl.report.lines import Excerpt
from labctl.report.status import Status
from labctl.topology.migrate import read_topology
from labctl.topology.model import Topology


class ReportOutcome(StrEnum):
    """What became of a test; `ERROR` is a failure before or after the test itself."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"

    @property
    def bad(self) -> bool:
        return self in (ReportOutcome.FAILED, ReportOutcome.ERROR)


@dataclass(frozen=True, slots=True)
class Test:
    """One test: times in seconds since 1970, `seconds` per phase (setup, call, teardown)."""

    __test__ = False  # pytest must not take this class for a test of its own

    nodeid: str
    outcome: ReportOutcome
    started: float
    ended: float
    doc: str = ""
    markers: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    detail: str = ""

    @property
    def name(self) -> str:
        """The name for people: function and case, without the file."""
        return self.nodeid.rpartition("::")[2]

    @property
    def function(self) -> str:
        return self.name.partition("[")[0]

    @property
    def case(self) -> str:
        """What the test was parametrised with, empty where it was not."""
        return self.name.partition("[")[2].removesuffix("]")

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class Run:
    """The suite as a whole; `exit_status` is None if pytest did not finish."""

    tests: tuple[Test, ...] = ()
    began: float | None = None
    ended: float | None = None
    exit_status: int | None = None
    chosen: int | None = None
    deselected: int = 0

    def count(self, *outcomes: ReportOutcome) -> int:
        return sum(1 for test in self.tests if test.outcome in outcomes)

    @property
    def bad(self) -> tuple[Test, ...]:
        return tuple(test for test in self.tests if test.outcome.bad)

    @property
    def not_run(self) -> int:
        """Tests that were chosen and of which nothing is known."""
        return max(0, (self.chosen or 0) - len({test.nodeid for test in self.tests}))


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, and every test that failed in the same way.

    `docs` say what users lose, in the words of each test function that failed so.
    """

    nodeids: tuple[str, ...]
    docs: tuple[str, ...]
    message: str
    detail: str
    excerpt: Excerpt | None = None

    @property
    def title(self) -> str:
        """Its heading: the test, or what several tests all say."""
        names = [nodeid.rpartition("::")[2] for nodeid in self.nodeids]
        functions = {name.partition("[")[0] for name in names}
        if len(names) == 1:
            return names[0]
        if len(functions) == 1:
            return f"{functions.pop()}, {len(names)} times"
        return f"{len(names)} tests: {self.message.partition(chr(10))[0]}"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says; a part is None if it is missing.  `notes` say what is
    missing."""

    made: float
    version: str
    topology: Topology
    run: Run
    status: Status | None = None
    timings: UpTimings | None = None
    failures: tuple[Failure, ...] = ()
    drills: tuple[DrillRecord, ...] | None = None
    crowd: CrowdRecord | None = None
    e2e: E2eRecord | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for report.json; docs/report.md describes it."""
        return {
            "format": REPORT.format,
            "made": self.made,
            "version": self.version,
            "topology": self.topology.to_json(),
            "run": to_plain(self.run),
            "status": self.status.to_json() if self.status else None,
            "timings": to_plain(self.timings),
            "failures": to_plain(self.failures),
            "drills": None if self.drills is None else drills_to_json(self.drills),
            "crowd": self.crowd.to_json() if self.crowd else None,
            "e2e": self.e2e.to_json() if self.e2e else None,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: object) -> Report:
        """The report that `to_json` wrote.  Errors: StateError."""
        return read_document(data, REPORT, name="report.json")


def _parse(data: Mapping[str, Any]) -> Report:
    """The summary is computed again; parts may be of older formats."""
    status, drills, crowd, e2e = (data.get(it) for it in ("status", "drills", "crowd", "e2e"))
    timings = data.get("timings")
    return Report(
        made=from_plain(float, data["made"], where="made"),
        version=str(data["version"]),
        topology=read_topology(data["topology"], source="report.json: topology"),
        run=from_plain(Run, data["run"], where="run"),
        status=None if status is None else Status.from_json(status),
        timings=None if timings is None else from_plain(UpTimings, timings, where="timings"),
        failures=tuple(from_plain(Failure, it, where="failures") for it in data["failures"]),
        drills=None if drills is None else drills_from_json(drills),
        crowd=None if crowd is None else CrowdRecord.from_json(crowd),
        e2e=None if e2e is None else E2eRecord.from_json(e2e),
        notes=tuple(str(note) for note in data["notes"]),
    )


REPORT: StateKind[Report] = StateKind(
    format=1, parse=_parse, remedy="Run 'labctl verify --report DIR' to write a new one."
)
