"""Expectations that several drills share, with the originals' own times in words."""

from __future__ import annotations

from labctl.drills.model import Expectation, Mark, Verdict, Who

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
RESTARTED_ALONE = Expectation(
    "the call is restarted by itself (4.1 s)", Who.CALL, Mark.REINVITED, within=12.0
)
IN_BREWERY_AGAIN = Expectation(
    "it is back in the brewery (2.6 s)", Who.HIT, Mark.BRIDGE_ADDED, within=10.0
)
NEW_CALLS = Expectation("new calls work", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=15.0)
OTHERS_STAY = Expectation(
    "calls on other bridges notice nothing", Who.OTHERS, Mark.TERMINATED, within=None
)
NOT_MOVED = (
    Expectation(
        "the running call is not moved", Who.CALL, Mark.REINVITED,
        within=None, otherwise=Verdict.BETTER,
    ),
    Expectation(
        "its participants are told nothing", Who.CALL, Mark.TERMINATED,
        within=None, otherwise=Verdict.BETTER,
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
    within=None, otherwise=Verdict.BETTER,
)  # fmt: skip


def back(seconds: float, says: str) -> Expectation:
    """All bridges are operational again, so many seconds after the fault ended."""
    return Expectation(says, Who.JICOFO, Mark.ALL_BACK, within=seconds)
