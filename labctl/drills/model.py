"""What a drill is: data.  What can be seen, what is expected, and what is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.core.waiting import Patience
from labctl.drills.faults import Fault
from labctl.providers.base import Ability
from labctl.report.drill import DrillVerdict
from labctl.topology.versions import Versions


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
    SOUND_STOPPED = "sound stopped"
    """A participant got no sound of somebody's for a second and more."""
    SOUND_GONE = "no sound for 3 s"
    """It stopped for longer than a machine without a free processor makes it stop by itself."""
    SOUND_BACK = "sound is back"
    """And hears everybody again, for a second at least."""
    PICTURE_STOPPED = "picture stopped"
    PICTURE_BACK = "picture is back"
    LOSSY = "packets of sound are lost"
    NO_WAY = "the bridge does not answer"
    """A participant's own ICE or DTLS says so; the detail has address, port and stage."""
    NEWCOMER_IN = "newcomer in"
    """Somebody who came after the fault is in the conference and, where one is due, invited, and
    hears the others."""
    NEWCOMER_OUT = "newcomer out"
    """Somebody who came after the fault could not join, was not invited, or heard nothing."""
    BRIDGE_LOST = "lost by Jicofo"
    BRIDGE_ADDED = "joined the brewery"
    JOINED = "joined by its own account"
    """Jicofo takes a process that comes back under a dead session's nick for that session."""
    HEALTH_RETRY = "health check timed out once"
    HEALTH_FAILED = "health check failed"
    RECONNECTING = "Jicofo reconnects"
    REGISTERED = "Jicofo registered"
    ENDED = "conference ended by Jicofo"
    GAVE_UP = "conference given up by Jicofo"
    """Ended because Jicofo's own connection was lost and could not be resumed."""
    NO_ALLOCATION = "a bridge did not answer Jicofo within 15 s"
    FEWER = "fewer operational bridges"
    NONE_LEFT = "no operational bridge"
    ALL_BACK = "all bridges operational"
    SILENT = "the JMS did not answer labctl"


class Who(StrEnum):
    """Whose marks an expectation is about."""

    CALL = "participants of the call"
    VIEWERS = "participants with a picture"
    OTHERS = "participants of other calls"
    VISITORS = "visitors of the call"
    NEWCOMERS = "newcomers"
    HIT = "what the fault hit"
    BRIDGES = "every bridge"
    JICOFO = "Jicofo"


class Where(StrEnum):
    """What a fault hits, before it is known which node that is."""

    IN_USE = "the bridge in use"
    IDLE = "an idle bridge"
    OWN = "the JMS's own bridge"
    PAIR = "the bridge in use and another one"
    OTHERS = "all other bridges"
    ALL = "all bridges"
    MACHINE = "the machine of the bridge in use, with all its nodes"
    VNODE = "the vnode in use"
    PROSODY = "Prosody on the JMS"
    JICOFO = "Jicofo"
    NGINX = "nginx"


class Need(StrEnum):
    """What a drill needs of the lab or its provider."""

    TWO_BRIDGES = "two bridges"
    THREE_BRIDGES = "three bridges"
    FAR_BRIDGE = "a bridge on a node of its own"
    FAR_MACHINE = "a bridge on another machine than the JMS's"
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
    """One thing that upstream does after a fault, in seconds since the act.

    Seen between `earliest` and `within` by everybody meant: as expected.  Seen earlier: `early`.
    `within` is scaled by the lab's patience, `earliest` is the protocol's and is not.
    Seen later or not at all: `otherwise`.  `within=None` means never: seen after `earliest` is
    `otherwise`.  With `only_if` it is judged only where that mark was seen in the same act, for
    what upstream does or does not do by chance; with `unless` only where that one was not.  With
    `cause` seconds count from that mark of what was hit (how long a bridge takes to start says
    nothing about what Jicofo does then).  `versions` says which packages do so; None is all.
    """

    says: str
    who: Who
    mark: Mark
    within: float | None
    earliest: float = 0.0
    otherwise: DrillVerdict = DrillVerdict.WORSE
    early: DrillVerdict = DrillVerdict.BETTER
    only_if: Mark | None = None
    unless: Mark | None = None
    cause: Mark | None = None
    versions: Versions | None = None


@dataclass(frozen=True, slots=True)
class RaceOutcome:
    """One of several ways in which a race ends, all of them right.

    It is the one whose `first` mark of what was hit is seen before those of the others.  `weak`
    is the one in which the drill's weakness shows.
    """

    says: str
    first: Mark
    expects: tuple[Expectation, ...]
    weak: bool = True


@dataclass(frozen=True, slots=True)
class Try:
    """A probe, so many seconds after the fault; with `late`, not before all else was seen."""

    probe: Probe
    at: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One step: a fault (or its end), what is tried meanwhile and what is expected.

    Where a race decides what happens, `outcomes` are the ways in which it may end.
    Watching ends `quiet` seconds after everything expected was seen and tried, at the latest
    when the last `within` has passed.
    """

    fault: Fault
    where: Where
    expects: tuple[Expectation, ...]
    tries: tuple[Try, ...] = ()
    quiet: float = 0.5
    outcomes: tuple[RaceOutcome, ...] = ()

    @property
    def possible(self) -> tuple[Expectation, ...]:
        """Everything that is expected in any outcome."""
        return (*self.expects, *(each for one in self.outcomes for each in one.expects))

    def longest(self, patience: Patience) -> float:
        """Seconds after which everything is decided."""
        bounds = [patience.scaled(self._bound(each)) for each in self.possible]
        return max([0.0, *bounds, *(each.at for each in self.tries)]) + self.quiet

    def _bound(self, expectation: Expectation) -> float:
        """Seconds since the act: where a cause comes first, when that is due and then as long."""
        causes = (each for each in self.possible if each.mark is expectation.cause)
        before = max((each.within or 0.0 for each in causes), default=0.0)
        return before + (expectation.within or 0.0)


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
    """Seconds for all of it, without the way back to a healthy lab."""
    weakness: str | None = None
    place: Where | None = Where.IN_USE
    """Where the call must be before the first act; None: no call at all."""
    people: int = 3
    visitors: int = 0
    needs: tuple[Need, ...] = ()
