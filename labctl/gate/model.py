"""What the gate knows, as values: a side (one set of packages tried), findings, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

GATE_FORMAT = 1


class Word(StrEnum):
    """The verdict."""

    PASS = "pass"
    FAIL = "fail"
    NOT_JUDGED = "could not judge"

    @property
    def exit_code(self) -> int:
        return {Word.PASS: 0, Word.FAIL: 1, Word.NOT_JUDGED: 3}[self]


class Outcome(StrEnum):
    """What became of a test or a drill; `FLAKY` failed and then passed when tried again."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """What a finding does to the verdict: `fail` decides it, the others are for the reader."""

    FAIL = "fail"
    ATTENTION = "attention"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Case:
    """A test or a drill, and what became of it; `seconds` is how long it took."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """Log lines that differ in numbers and names alone: how often, and one of them."""

    source: str
    level: str
    template: str
    count: int
    sample: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of `labctl drift`; `judged` is whether somebody has given a reason for it."""

    text: str
    judged: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a side did not get to its end.

    `packages` says whose fault it was: the packages' (`package` names the one, where that is
    known), or else this machine's.
    """

    phase: str
    message: str
    packages: bool
    package: str | None = None
    evidence: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One set of packages as it was tried.  A part that is None was not tried: `not_tried` says
    why.  `ups` are the seconds per phase of each time that its lab was brought up."""

    label: str
    source: str
    packages: Mapping[str, str] = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    ups: tuple[Mapping[str, float], ...] = ()
    tests: tuple[Case, ...] | None = None
    drills: tuple[Case, ...] | None = None
    drift: tuple[Difference, ...] | None = None
    logs: tuple[LogTemplate, ...] | None = None
    trouble: Trouble | None = None
    not_tried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the reader should know: of which area, about what, how bad."""

    area: str
    subject: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that has been run."""

    word: Word
    reason: str
    candidate: Side
    baseline: Side | None = None
    findings: tuple[Finding, ...] = ()
    timings: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Packages that were stand-ins on either side."""
        sides = [self.candidate, *([self.baseline] if self.baseline else [])]
        return tuple(sorted({name for side in sides for name in side.stand_ins}))

    def to_json(self) -> dict[str, Any]:
        """Plain data for gate.json; docs/gate.md describes it."""
        plain: dict[str, Any] = {"format": GATE_FORMAT, **asdict(self)}
        return plain | {"exit_code": self.word.exit_code, "stand_ins": list(self.stand_ins)}
