"""A report as values.  `Report.to_json` is what report.json holds; docs/report.md describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from labctl.errors import LabError

REPORT_FORMAT = 1


class Outcome(StrEnum):
    """What became of a test; `ERROR` is a failure before or after the test itself."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"

    @property
    def bad(self) -> bool:
        return self in (Outcome.FAILED, Outcome.ERROR)


@dataclass(frozen=True, slots=True)
class Test:
    """One test: times in seconds since 1970, `seconds` per phase (setup, call, teardown)."""

    __test__ = False  # pytest must not take this class for a test of its own

    nodeid: str
    outcome: Outcome
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
    """The suite as a whole; `exit_status` is None where pytest did not get to its end."""

    tests: tuple[Test, ...] = ()
    began: float | None = None
    ended: float | None = None
    exit_status: int | None = None
    chosen: int | None = None
    deselected: int = 0

    def count(self, *outcomes: Outcome) -> int:
        return sum(1 for test in self.tests if test.outcome in outcomes)

    @property
    def bad(self) -> tuple[Test, ...]:
        return tuple(test for test in self.tests if test.outcome.bad)

    @property
    def not_run(self) -> int:
        """Tests that were chosen and of which nothing is known."""
        return max(0, (self.chosen or 0) - len({test.nodeid for test in self.tests}))


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry of a log: time in seconds since 1970 by the clock of the machine that asked.

    `exact` is False for a log that writes whole seconds; `text` holds the lines of a stack
    trace, too.
    """

    time: float
    exact: bool
    node: str
    source: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Log lines of all nodes between two times; `before` are earlier ones about the same thing."""

    start: float
    end: float
    lines: tuple[LogLine, ...] = ()
    left_out: int = 0
    before: tuple[LogLine, ...] = ()


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
        """What stands above it: the test, or what all of several say."""
        names = [nodeid.rpartition("::")[2] for nodeid in self.nodeids]
        functions = {name.partition("[")[0] for name in names}
        if len(names) == 1:
            return names[0]
        if len(functions) == 1:
            return f"{functions.pop()}, {len(names)} times"
        return f"{len(names)} tests: {self.message.partition(chr(10))[0]}"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says.

    `topology` is topology.json, `status` what `labctl status --json` prints, `timings` the
    lab's timings.json, `drills` and `crowd` as docs/report.md has them; None where there is none.
    `notes` say what could not be had.
    """

    made: float
    version: str
    topology: Mapping[str, Any]
    run: Run
    status: Mapping[str, Any] | None = None
    timings: Mapping[str, Any] | None = None
    failures: tuple[Failure, ...] = ()
    drills: Sequence[Mapping[str, Any]] | None = None
    crowd: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for report.json."""
        return {"format": REPORT_FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The report that `to_json` wrote; LabError for anything else."""
        if data.get("format") != REPORT_FORMAT:
            raise LabError(f"The report has format {data.get('format')!r}, not {REPORT_FORMAT}.")
        # What is said of the whole is worked out anew, and other keys are of a newer labctl.
        fields = {key: value for key, value in data.items() if key in cls.__slots__}
        try:
            fields["run"] = _run(data["run"])
            fields["failures"] = tuple(_failure(item) for item in data["failures"])
            fields["notes"] = tuple(data["notes"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise LabError(f"The report is damaged: {error!r}.") from error


def parse_test(data: Mapping[str, Any]) -> Test:
    """A test as the suite's plugin wrote it; KeyError, TypeError or ValueError for others."""
    return Test(
        **{
            **data,
            "outcome": Outcome(data["outcome"]),
            "markers": tuple(data["markers"]),
        }
    )


def _run(data: Mapping[str, Any]) -> Run:
    return Run(**{**data, "tests": tuple(parse_test(item) for item in data["tests"])})


def _failure(data: Mapping[str, Any]) -> Failure:
    excerpt = data["excerpt"]
    if excerpt is not None:
        lines = {key: tuple(LogLine(**it) for it in excerpt[key]) for key in ("lines", "before")}
        excerpt = Excerpt(**{**excerpt, **lines})
    tuples = {key: tuple(data[key]) for key in ("nodeids", "docs")}
    return Failure(**{**data, **tuples, "excerpt": excerpt})
