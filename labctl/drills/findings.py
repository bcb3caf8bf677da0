"""What a drill showed, as values: moments, findings, what was heard, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.drills.model import Drill, Mark, Who
from labctl.report.drill import DrillFinding, DrillVerdict


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that was seen: `at` seconds since the beginning of act `act` (from 0)."""

    act: int
    at: float
    who: Who
    subject: str
    mark: Mark
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one participant heard ('audio') or saw ('video') of the others from the fault on."""

    who: Who
    name: str
    media: str
    stopped: float
    """Seconds without somebody's packets, pauses of less than a second left out."""
    longest: float
    """The longest pause, however short."""
    at_the_end: bool
    """Whether everybody was heard (seen) when the drill's last step was over."""
    loss: float = 0.0
    """The share of packets that never came, 0 to 1."""


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill showed.  `left` says what is wrong with the lab afterwards, if anything."""

    drill: Drill
    verdict: DrillVerdict
    seconds: float
    reason: str = ""
    began: float = 0.0
    """Seconds since 1970 when it was begun, by the clock of the machine that runs labctl."""
    hit: tuple[str, ...] = ()
    findings: tuple[DrillFinding, ...] = ()
    moments: tuple[Moment, ...] = ()
    hearing: tuple[Hearing, ...] = ()
    watched: float = 0.0
    """Seconds from the first act to the end of the last."""
    people: tuple[tuple[Who, str], ...] = ()
    """Participants by part and name, those included to whom nothing happened."""
    healthy_after: float | None = None
    repaired: str = ""
    left: str = ""
    stand_ins: tuple[str, ...] = ()
    patience: Patience = NO_PATIENCE
    """By how much every bound and the budget were longer, for a lab of slow machines."""
    packages: tuple[tuple[str, str], ...] = ()
    """Names and versions of the packages that were judged."""
    newest: DrillVerdict | None = None
    """The verdict by what the newest known packages do, if these are others and the verdict
    differs."""
