"""Vnodes that are lost for a while, and a hall that empties at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from acceptance import jicofo
from acceptance.chance import tries_for
from acceptance.chat import heard
from acceptance.undertest import LabUnderTest
from acceptance.vnodes import stopped
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.sync import crowd_in
from labctl.topology.model import Topology

pytestmark = [pytest.mark.visitors, pytest.mark.slow]

SECONDS = 20
LISTENER = Options(want_visitor=True)
LOST_SECONDS = 40
JOIN_RATE = 30.0
HALL = 500
LEAVING = 50
COUNT_SECONDS = 40
"""Jicofo tells the count every 15 s."""


@pytest.fixture(autouse=True)
def vnodes_there(topology: Topology) -> None:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")


def test_main_call_goes_on_when_a_vnode_is_lost(
    lab: LabUnderTest, target: Target, vnode_holders: Mapping[str, str], room: str
) -> None:
    """When this fails, a vnode takes the speakers with it when it dies, or is never used again.

    Visitors lose their streams; speakers do not notice.  When the vnode is back, a new conference
    can use it.
    """
    patience = lab.patience
    with crowd_in(target, room) as crowd:
        speakers = crowd.join(2, deadline=SECONDS)
        visitors = crowd.join(2, deadline=SECONDS, options=LISTENER)
        vnode = str(visitors[0].view().vnode)
        with stopped(lab, [vnode], vnode_holders):
            for visitor in visitors:
                visitor.wait_for(Kind.LOST, deadline=LOST_SECONDS)
            speakers[0].say("still here")
            heard(speakers[1], "still here", patience)
            assert [one.view().state for one in speakers] == ["joined", "joined"]
    for index in range(tries_for(len(lab.topology.vnodes))):
        if hall_of(target, f"{room}-{index}", patience) == vnode:
            return
    pytest.fail(f"'{vnode}' was never used again", pytrace=False)


def hall_of(target: Target, room: str, patience: Patience) -> str:
    """The vnode of a new conference's hall, in which a visitor sees the stage."""
    with crowd_in(target, room) as crowd:
        [speaker] = crowd.join(1, deadline=SECONDS)
        [visitor] = crowd.join(1, deadline=SECONDS, options=LISTENER)
        stage = frozenset([speaker.nick])
        seen = jicofo.wait_value(
            lambda: visitor.view().others, stage, seconds=SECONDS, patience=patience
        )
        assert seen == stage, f"on vnode '{visitor.view().vnode}'"
        return str(visitor.view().vnode)


def test_visitors_find_the_vnodes_that_are_left(
    lab: LabUnderTest, target: Target, vnode_holders: Mapping[str, str], room: str
) -> None:
    """When this fails, one conference in four has a hall that answers with an error.

    A quarter of the vnodes is down, such as three of twelve: new conferences use the others.
    """
    vnodes = lab.topology.vnodes
    down = [vnode.name for vnode in vnodes[: len(vnodes) // 4]]
    if not down:
        pytest.skip("takes four vnodes at least")
    with stopped(lab, down, vnode_holders):
        used = {
            hall_of(target, f"{room}-{index}", lab.patience) for index in range(3 * len(vnodes))
        }
        assert not used & set(down), f"visitors were sent to {sorted(used & set(down))}"


def test_many_leave_a_large_hall_at_once(target: Target, patience: Patience, room: str) -> None:
    """When this fails, a crowd that leaves takes others with it, or the count stays wrong."""
    with crowd_in(target, room) as crowd:
        [speaker] = crowd.join(1, deadline=SECONDS)
        everybody = crowd.join(HALL, rate=JOIN_RATE, deadline=3 * SECONDS, options=LISTENER)
        for visitor in everybody[:LEAVING]:
            visitor.leave()
        speaker.say("some have left")
        for visitor in (everybody[LEAVING], everybody[-1]):
            heard(visitor, "some have left", patience)
        rest = HALL - LEAVING
        left = jicofo.wait_value(
            lambda: speaker.view().conference.get("visitor-count"),
            str(rest), seconds=COUNT_SECONDS, patience=patience,
        )  # fmt: skip
        states = [visitor.view().state for visitor in everybody[LEAVING:]]
        assert states.count("joined") == rest
        assert left == str(rest), "the count that speakers see"
