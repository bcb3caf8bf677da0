"""What a drill is: data.  What can be seen, what is expected, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.capabilities import Ability
from labctl.drills.faults import Fault
from labctl.waiting import scaled


class Mark(StrEnum):
    """What can be seen while a drill runs."""

    TERMINATED = "terminated"
    """A participant got session-terminate."""
    REINVITED = "re-invited"
    """A participant got another session-initiate."""
    LOST = "lost"
    """A participant's stream ended, or it was put out of the room."""
    HEARD = "heard"
    """A participant got the message that somebody said after the fault."""
    NEWCOMER_IN = "newcomer in"
    """Somebody who came after the fault is in the conference and, where one is due, invited."""
    NEWCOMER_OUT = "newcomer out"
    """Somebody who came after the fault could not join, or was not invited."""
    BRIDGE_LOST = "lost by Jicofo"
    BRIDGE_ADDED = "joined the brewery"
    HEALTH_RETRY = "health check timed out once"
    HEALTH_FAILED = "health check failed"
    RECONNECTING = "Jicofo reconnects"
    REGISTERED = "Jicofo registered"
    ENDED = "conference ended by Jicofo"
    GAVE_UP = "conference given up by Jicofo"
    """Ended because Jicofo's own connection was lost and could not be resumed."""
    FEWER = "fewer operational bridges"
    NONE_LEFT = "no operational bridge"
    ALL_BACK = "all bridges operational"
    SILENT = "the JMS did not answer labctl"


class Who(StrEnum):
    """Whose marks an expectation is about."""

    CALL = "participants of the call"
    OTHERS = "participants of other calls"
    VISITORS = "visitors of the call"
    NEWCOMERS = "newcomers"
    HIT = "what the fault hit"
    BRIDGES = "every bridge"
    JICOFO = "Jicofo"


class Verdict(StrEnum):
    """How a drill, or one expectation, came out."""

    EXPECTED = "as expected"
    BETTER = "better than upstream used to be"
    WORSE = "worse"
    SKIPPED = "skipped"


class Where(StrEnum):
    """What a fault hits, before it is known which node that is."""

    IN_USE = "the bridge in use"
    IDLE = "an idle bridge"
    OWN = "the JMS's own bridge"
    OTHERS = "all other bridges"
    ALL = "all bridges"
    VNODE = "the vnode in use"
    PROSODY = "Prosody on the JMS"
    JICOFO = "Jicofo"
    NGINX = "nginx"


class Need(StrEnum):
    """What a drill needs of the lab or its provider."""

    TWO_BRIDGES = "two bridges"
    FAR_BRIDGE = "a bridge on a node of its own"
    VNODE = "a vnode"
    TWO_VNODES = "two vnodes"
    OWN_CLOCK = Ability.OWN_CLOCK.value


class Probe(StrEnum):
    """What is tried after the fault."""

    NEW_CALL = "two people start a new call"
    VISITOR = "one more visitor comes to the call"
    SAY = "a main participant says something"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that today's upstream does after a fault, in seconds since the act.

    Seen between `earliest` and `within` by everybody meant: as expected.  Seen earlier: `early`.
    `within` is scaled by the lab's patience, `earliest` is the protocol's and is not.
    Seen later or not at all: `otherwise`.  `within=None` means never: seen after `earliest` is
    `otherwise`.  With `only_if` it is judged only where that mark was seen in the same act, for
    what upstream does or does not do by chance.
    """

    says: str
    who: Who
    mark: Mark
    within: float | None
    earliest: float = 0.0
    otherwise: Verdict = Verdict.WORSE
    early: Verdict = Verdict.BETTER
    only_if: Mark | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """A probe, so many seconds after the fault; with `late`, not before all else was seen."""

    probe: Probe
    at: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One step: a fault (or its end), what is tried meanwhile and what is expected.

    Watching ends `quiet` seconds after everything expected was seen and tried, at the latest
    when the last `within` has passed.
    """

    fault: Fault
    where: Where
    expects: tuple[Expectation, ...]
    tries: tuple[Try, ...] = ()
    quiet: float = 0.5

    @property
    def longest(self) -> float:
        """Seconds after which everything is decided."""
        bounds = [scaled(each.within) for each in self.expects if each.within is not None]
        return max([0.0, *bounds, *(each.at for each in self.tries)]) + self.quiet


@dataclass(frozen=True, slots=True)
class Drill:
    """A fault, what is expected of today's upstream, and a budget."""

    name: str
    title: str
    fault: str
    undone: str
    watched: str
    upstream: str
    """What the original packages do today, in words, with its source."""
    acts: tuple[Act, ...]
    budget: float
    """Seconds for all of it, the way back to a healthy lab included."""
    weakness: str | None = None
    place: Where | None = Where.IN_USE
    """Where the call must be before the first act; None: no call at all."""
    people: int = 3
    visitors: int = 0
    needs: tuple[Need, ...] = ()


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
class Finding:
    """How one expectation came out, in words."""

    act: int
    says: str
    verdict: Verdict
    seen: str


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill showed.  `left` says what is wrong with the lab afterwards, if anything."""

    drill: Drill
    verdict: Verdict
    seconds: float
    reason: str = ""
    began: float = 0.0
    """Seconds since 1970 when it was begun, by the clock of the machine that runs labctl."""
    hit: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    moments: tuple[Moment, ...] = ()
    people: tuple[tuple[Who, str], ...] = ()
    """Participants by part and name, those included to whom nothing happened."""
    healthy_after: float | None = None
    repaired: str = ""
    left: str = ""
    stand_ins: tuple[str, ...] = ()
    patience: float = 1.0
    """By how much every bound and the budget were longer, for a lab of slow machines."""
