"""Expectations that several drills share, with the originals' own times in words."""

from __future__ import annotations

from labctl.drills.faults import Fault, Undo, Undoable
from labctl.drills.model import Act, Expectation, Mark, Where, Who
from labctl.report.drill import DrillVerdict

# Bounds are the originals' times with room for a busy machine; a stand-in has the same mechanism.
TERMINATED = Expectation(
    "the call's participants get session-terminate at once (0.2 s)",
    Who.CALL, Mark.TERMINATED, within=4.0,
)  # fmt: skip
MOVED = Expectation(
    "they are invited to another bridge (1.4-1.8 s)", Who.CALL, Mark.REINVITED, within=8.0
)
STREAMS_STAY = Expectation("nobody's stream ends", Who.CALL, Mark.LOST, within=None)
CALL_STAYS = Expectation("the call stays where it is", Who.CALL, Mark.TERMINATED, within=None)
IN_BREWERY_AGAIN = Expectation(
    "it is back in the brewery (2.6 s; 9 s where Java has little CPU)",
    Who.HIT, Mark.BRIDGE_ADDED, within=20.0,
)  # fmt: skip
RESTARTED_ALONE = Expectation(
    "the call is restarted by itself (1.5 s after the bridge joined)",
    Who.CALL, Mark.REINVITED, within=5.0, cause=Mark.BRIDGE_ADDED, unless=Mark.NO_ALLOCATION,
)  # fmt: skip
NEW_CALLS = Expectation("new calls work", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=15.0)
OTHERS_STAY = (
    Expectation("calls on other bridges notice nothing", Who.OTHERS, Mark.TERMINATED, within=None),
    Expectation("and hear each other all the time", Who.OTHERS, Mark.SOUND_GONE, within=None),
)
NOT_MOVED = (
    Expectation(
        "the running call is not moved", Who.CALL, Mark.REINVITED,
        within=None, otherwise=DrillVerdict.BETTER,
    ),
    Expectation(
        "its participants are told nothing", Who.CALL, Mark.TERMINATED,
        within=None, otherwise=DrillVerdict.BETTER,
    ),
)  # fmt: skip
HEALTH = (
    Expectation(
        "the first health check times out after about 20 s", Who.HIT, Mark.HEALTH_RETRY,
        within=32.0, earliest=8.0,
    ),
    Expectation(
        "the second fails it after about 40 s", Who.HIT, Mark.HEALTH_FAILED,
        within=52.0, earliest=20.0,
    ),
    Expectation(
        "it then counts as not operational", Who.JICOFO, Mark.FEWER, within=54.0, earliest=20.0
    ),
)  # fmt: skip
STAYS_IN_BREWERY = Expectation(
    "it never leaves the brewery", Who.HIT, Mark.BRIDGE_LOST,
    within=None, otherwise=DrillVerdict.BETTER,
)  # fmt: skip


def back(seconds: float, says: str) -> Expectation:
    """All bridges are operational again, so many seconds after the fault ended."""
    return Expectation(says, Who.JICOFO, Mark.ALL_BACK, within=seconds)


# What people care about.  Bounds leave room for ICE and DTLS on a busy machine.
SOUND_STAYS = Expectation("nobody's sound stops", Who.CALL, Mark.SOUND_GONE, within=None)
BACK_SOON = (
    Expectation(
        "sound that stops is back with the new session", Who.CALL, Mark.SOUND_BACK,
        within=14.0, only_if=Mark.SOUND_STOPPED,
    ),
    Expectation(
        "and so is the picture", Who.VIEWERS, Mark.PICTURE_BACK,
        within=18.0, only_if=Mark.PICTURE_STOPPED,
    ),
)  # fmt: skip
NO_SOUND = (
    Expectation(
        "sound stops", Who.CALL, Mark.SOUND_STOPPED, within=10.0, otherwise=DrillVerdict.BETTER
    ),
    Expectation(
        "and does not come back: no sound for the rest of the call", Who.CALL, Mark.SOUND_BACK,
        within=None, otherwise=DrillVerdict.BETTER,
    ),
)  # fmt: skip
# Where Java has little CPU a bridge joins before it can answer: Jicofo's first request to it times
# out after 15 s, and it does not try that call again (docs/facts/observed-labs.md, 10).
AFTER_JOIN = (
    Expectation(
        "everybody hears everybody again", Who.CALL, Mark.SOUND_BACK,
        within=20.0, cause=Mark.BRIDGE_ADDED, unless=Mark.NO_ALLOCATION,
    ),
    Expectation(
        "and sees the picture", Who.VIEWERS, Mark.PICTURE_BACK,
        within=25.0, cause=Mark.BRIDGE_ADDED, only_if=Mark.PICTURE_STOPPED,
        unless=Mark.NO_ALLOCATION,
    ),
)  # fmt: skip
SAY_WHY = Expectation(
    "their own ICE says so after 15 s, with address and port", Who.CALL, Mark.NO_WAY, within=25.0
)


def sound_again(seconds: float, says: str) -> Expectation:
    """Those whose sound had stopped hear everybody again, so many seconds after the act."""
    return Expectation(says, Who.CALL, Mark.SOUND_BACK, within=seconds, only_if=Mark.SOUND_STOPPED)


def ended(fault: Undoable, *expects: Expectation, where: Where = Where.IN_USE) -> Act:
    """The act that ends an earlier one's fault."""
    return Act(Undo(fault), where, expects)


def unnoticed(fault: Fault, *expects: Expectation, where: Where = Where.IN_USE) -> Act:
    """An act after which all streams and other calls go on as if nothing had happened."""
    return Act(fault, where, (*expects, STREAMS_STAY, *OTHERS_STAY))
