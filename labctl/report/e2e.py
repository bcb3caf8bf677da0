"""The result of an end-to-end suite, as reports, the gate and programs read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.report.lines import Excerpt


class SpecOutcome(StrEnum):
    """How a spec came out.

    `FLAKY` failed and passed when it was run again.  `SKIPPED` skipped all its tests itself.
    `NOT_RUN` was not begun, because something that it needs is not there.
    """

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


class CaseOutcome(StrEnum):
    """How one test of a spec came out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One test of a spec, or a hook that failed; `ended` is seconds since 1970."""

    title: str
    outcome: CaseOutcome
    seconds: float = 0.0
    ended: float = 0.0
    message: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One run of a spec: `started` and `ended` are seconds since 1970.

    `problem` says why the run as a whole failed, if that was not one of its tests.  `files` are
    pictures, consoles and logs, relative to the folder of e2e.json.  `disturbed` says what went on
    on this machine that makes a failure say nothing of the lab.
    """

    started: float
    ended: float
    cases: tuple[CaseRecord, ...] = ()
    problem: str = ""
    files: tuple[str, ...] = ()
    disturbed: str = ""

    @property
    def failed(self) -> tuple[CaseRecord, ...]:
        return tuple(case for case in self.cases if case.outcome is CaseOutcome.FAILED)

    @property
    def outcome(self) -> SpecOutcome:
        """Of this run alone."""
        if self.problem or self.failed:
            return SpecOutcome.FAILED
        ran = any(case.outcome is CaseOutcome.PASSED for case in self.cases)
        return SpecOutcome.PASSED if ran else SpecOutcome.SKIPPED

    @property
    def message(self) -> str:
        """Why it failed, in a line."""
        first = next((f"{case.title}: {case.message}" for case in self.failed), self.problem)
        return first.strip().partition("\n")[0]

    @property
    def window(self) -> tuple[float, float]:
        """When its first test that failed ran; all of it, if none did."""
        first = next(iter(self.failed), None)
        if first is None or not first.ended:
            return self.started, self.ended
        return max(self.started, first.ended - first.seconds), first.ended

    @property
    def pictures(self) -> tuple[str, ...]:
        return tuple(name for name in self.files if name.endswith(".png"))


def counting(attempts: Sequence[AttemptRecord]) -> Sequence[AttemptRecord]:
    """The runs that say something of the lab; the last one if each was disturbed."""
    return [one for one in attempts if not one.disturbed] or attempts[-1:]


@dataclass(frozen=True, slots=True)
class SpecRecord:
    """One spec file, named as it is below `specs/`; the last of `attempts` counts.

    Runs that failed and were disturbed do not count while there is another one.

    `reason` says why it was not run.  `excerpt` are the nodes' log lines of its first failure.
    """

    name: str
    outcome: SpecOutcome
    browsers: int = 1
    reason: str = ""
    attempts: tuple[AttemptRecord, ...] = ()
    excerpt: Excerpt | None = None

    @property
    def seconds(self) -> float:
        return sum(one.ended - one.started for one in self.attempts)

    @property
    def failure(self) -> AttemptRecord | None:
        """The first run that failed; one that was disturbed only if no other was made."""
        found = (one for one in counting(self.attempts) if one.outcome is SpecOutcome.FAILED)
        return next(found, None)

    @property
    def message(self) -> str:
        """Why it did not simply pass, in a line; empty if it did."""
        return self.failure.message if self.failure else self.reason

    @property
    def last(self) -> AttemptRecord | None:
        return self.attempts[-1] if self.attempts else None


@dataclass(frozen=True, slots=True)
class E2eRecord:
    """A run of a suite: `began` and `ended` are seconds since 1970.

    `most_browsers` is how many one spec may open; `versions` are those of the programs that ran;
    `stand_ins` the lab's packages that are not Jitsi's.
    """

    lab: str
    suite: str
    began: float
    ended: float
    most_browsers: int
    specs: tuple[SpecRecord, ...] = ()
    interrupted: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, *outcomes: SpecOutcome) -> int:
        return sum(spec.outcome in outcomes for spec in self.specs)

    @property
    def bad(self) -> tuple[SpecRecord, ...]:
        return tuple(spec for spec in self.specs if spec.outcome is SpecOutcome.FAILED)

    @property
    def well(self) -> bool:
        """Whether no spec failed and at least one passed."""
        return not self.bad and self.count(SpecOutcome.PASSED, SpecOutcome.FLAKY) > 0

    @property
    def sentence(self) -> str:
        """How many specs came out how."""
        words = [f"{count} {one}" for one in SpecOutcome if (count := self.count(one))]
        stopped = ", interrupted" if self.interrupted else ""
        many = "" if len(self.specs) == 1 else "s"
        return f"{len(self.specs)} spec{many}: {', '.join(words) or 'none'}{stopped}"

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl e2e --json` prints it."""
        return {"format": E2E.format, "sentence": self.sentence, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> E2eRecord:
        """The record that `to_json` wrote.  Errors: StateError."""
        return read_document(data, E2E, name="e2e.json")


E2E: StateKind[E2eRecord] = StateKind(
    format=1, parse=partial(from_plain, E2eRecord), remedy="Run 'labctl e2e' again."
)
