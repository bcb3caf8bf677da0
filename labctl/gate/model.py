"""The gate's results as values: a side (one set of packages tried), findings, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.gate.certainty import Pair
from labctl.gate.contents import PackageChange, PackageContents
from labctl.gate.measures import Load, Soak, Up, UseSample
from labctl.gate.timing import Timing
from labctl.upgrade.model import Scenario

SIDE_LABELS = ("candidate", "baseline")


class GateVerdict(StrEnum):
    """The verdict."""

    PASS = "pass"
    FAIL = "fail"
    NOT_JUDGED = "could not judge"

    @property
    def exit_code(self) -> int:
        return {GateVerdict.PASS: 0, GateVerdict.FAIL: 1, GateVerdict.NOT_JUDGED: 3}[self]


class CaseOutcome(StrEnum):
    """How a test or a drill came out; `FLAKY` failed at first and passed when it was tried
    again."""

    PASSED = "passed"
    FAILED = "failed"
    FLAKY = "flaky"
    SKIPPED = "skipped"


NOT_DUE = "about other versions: "
"""How the message of a skipped entry of the contract begins that is not about the candidate."""


class Severity(StrEnum):
    """What a finding does to the verdict: `fail` decides it; `could not judge` prevents a pass,
    because the machine did not allow one; the others are for the reader."""

    FAIL = "fail"
    UNDECIDED = "could not judge"
    ATTENTION = "attention"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class GateCase:
    """A test or a drill, and how it came out; `seconds` is how long it took."""

    name: str
    outcome: CaseOutcome
    seconds: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """Log lines that differ only in numbers and names: how many, and one of them.

    `origin` is the class and method, or the module, that wrote them; `load` is whether a busy
    machine can explain them.  Lines that somebody has judged (`labctl.drills.knownlines`) are one
    kind if they have one `reason`, whoever wrote them."""

    source: str
    level: str
    template: str
    count: int
    sample: str
    origin: str = ""
    load: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of `labctl drift`; `judged` is whether somebody has explained it."""

    text: str
    judged: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a side did not finish.

    `packages` says whose fault it was: the packages' (`package` names the one, if it is known) or
    else this machine's."""

    phase: str
    message: str
    packages: bool
    package: str | None = None
    evidence: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """What was measured of media on one side, in seconds.

    `first_sound` is from the invitation to the first packet, one for each call; `silences` are by
    drill, one for each participant of its call; `mute` is how many of them heard nothing when it
    ended, for drills in which there were any.
    """

    first_sound: tuple[float, ...] = ()
    silences: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    mute: Mapping[str, int] = field(default_factory=dict)


class TriedIn(StrEnum):
    """Where a package of a set was installed, if it was."""

    LAB = "in the lab"
    MACHINE = "on a machine of its own"
    NOWHERE = "not tried"


@dataclass(frozen=True, slots=True)
class TriedPackage:
    """A package of a set, and where it was tried; `reason` says why it was not."""

    name: str
    version: str
    tried: TriedIn
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlayedScenario:
    """A scenario that was played, and the acceptance tests that followed it (None: none did).

    `load` is what others used of the processors before it."""

    scenario: Scenario
    tests: tuple[GateCase, ...] | None = None
    load: Load | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One set of packages as it was tried.

    A part that is None was not tried: `not_tried` says why.  `ups` are the times that its lab was
    brought up; `repeated` says why it did not come up the first time.  `load` is what others used
    during tests and drills; `patience` is the factor by which the lab's deadlines were longer.
    `resources` were sampled during the tests; `contents` are what is in the packages, by name.
    `cached` is when an earlier gate measured all this, empty if this one did.
    `tried` are all packages of the set; `installs` are their installations on bare machines, and
    `upgrades` those over the baseline."""

    label: str
    source: str
    packages: Mapping[str, str] = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    ups: tuple[Up, ...] = ()
    load: Load | None = None
    repeated: tuple[str, ...] = ()
    patience: float = 1.0
    tests: tuple[GateCase, ...] | None = None
    drills: tuple[GateCase, ...] | None = None
    media: MediaFigures | None = None
    e2e: tuple[GateCase, ...] | None = None
    drift: tuple[Difference, ...] | None = None
    logs: tuple[LogTemplate, ...] | None = None
    contract: tuple[GateCase, ...] | None = None
    resources: tuple[UseSample, ...] | None = None
    soak: Soak | None = None
    contents: Mapping[str, PackageContents] | None = None
    trouble: Trouble | None = None
    not_tried: Mapping[str, str] = field(default_factory=dict)
    tried: tuple[TriedPackage, ...] | None = None
    installs: tuple[PlayedScenario, ...] | None = None
    upgrades: tuple[PlayedScenario, ...] | None = None
    cached: str = ""


@dataclass(frozen=True, slots=True)
class GateFinding:
    """Something that the reader should know: of which area, about what, how bad."""

    area: str
    subject: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate that has been run; `changes` is what differs in the packages of the two sides.

    With `strict`, findings that need attention were failures."""

    word: GateVerdict
    reason: str
    candidate: Side
    baseline: Side | None = None
    findings: tuple[GateFinding, ...] = ()
    timings: tuple[Timing, ...] = ()
    seconds: float = 0.0
    changes: tuple[PackageChange, ...] = ()
    strict: bool = False

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Packages that were stand-ins on either side."""
        sides = [self.candidate, *([self.baseline] if self.baseline else [])]
        return tuple(sorted({name for side in sides for name in side.stand_ins}))

    def to_json(self) -> dict[str, Any]:
        """Plain data for gate.json; docs/gate.md describes it."""
        timings = [timing.to_json() for timing in self.timings]
        said = {"exit_code": self.word.exit_code, "stand_ins": list(self.stand_ins)}
        return {"format": GATE.format, **to_plain(self), "timings": timings, **said}

    @classmethod
    def from_json(cls, data: object) -> Gate:
        """The gate that `to_json` wrote.  Errors: StateError."""
        return read_document(data, GATE, name="gate.json")


def _parse(data: Mapping[str, Any]) -> Gate:
    """The median and the range of timings are computed again."""
    timings = [{**timing, "candidate": timing["candidate"]["runs"]} for timing in data["timings"]]
    return from_plain(Gate, {**data, "timings": timings})


def _in_pairs(data: Mapping[str, Any]) -> dict[str, Any]:
    """Format 1 had only the seconds of each run, and no pairs."""
    sides = {
        label: side and {**side, "ups": [{"seconds": up} for up in side["ups"]]}
        for label, side in ((label, data[label]) for label in SIDE_LABELS)
    }
    return {**data, **sides, "timings": [_pair_up(timing) for timing in data["timings"]]}


def _pair_up(timing: Mapping[str, Any]) -> dict[str, Any]:
    new, old = (timing[label]["runs"] if timing[label] else [] for label in SIDE_LABELS)
    pairs = [to_plain(Pair(*both)) for both in zip(new, old, strict=False)]
    return {**timing, "pairs": pairs}


GATE: StateKind[Gate] = StateKind(format=2, parse=_parse, migrations={1: _in_pairs})
