"""The failover check of the how-to: one bridge gone, all gone, one back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from acceptance import jicofo
from acceptance.bridges import BACK_SECONDS, GONE_SECONDS, Bridges
from acceptance.undertest import LabUnderTest
from labctl.crowd import CrowdError, Kind, Target, View
from labctl.crowd.sync import SyncCrowd, crowd_in

pytestmark = [pytest.mark.failover, pytest.mark.slow]

MOVE_SECONDS = 15
TRIES = 6
WATCH_SECONDS = 6
"""How long nobody may be invited while no bridge is there; a re-invitation takes about 2 s."""


@pytest.fixture
def conference(target: Target, room: str) -> Iterator[SyncCrowd]:
    """Three people in a conference, all on a bridge."""
    with crowd_in(target, room) as crowd:
        crowd.join(3)
        crowd.wait_invited(deadline=MOVE_SECONDS)
        yield crowd


def connected(crowd: SyncCrowd) -> list[bool]:
    return [view.sid is not None for view in crowd.views()]


@contextmanager
def call_on(
    bridge: str, bridges: Bridges, lab: LabUnderTest, target: Target, room: str
) -> Iterator[tuple[SyncCrowd, list[SyncCrowd]]]:
    """A call of two that is on `bridge`, and the calls that turned out to be on others.

    Jicofo chooses by load, which on a busy machine differs by chance and stays so for seconds.
    Where some calls have not come to the right bridge, one more is begun while it is the only one.
    """
    others: list[SyncCrowd] = []
    with ExitStack() as stack:

        def begin(name: str) -> tuple[SyncCrowd, bool]:
            crowd = stack.enter_context(crowd_in(target, f"{room}-{name}"))
            crowd.join(2)
            crowd.wait_for(Kind.ACCEPTED, deadline=MOVE_SECONDS)
            used = jicofo.bridges_of(lab.machines["jms"], target.room_jid(crowd.room, None))
            return crowd, bridge in used

        for index in range(TRIES):
            crowd, fits = begin(str(index))
            if fits:
                yield crowd, others
                return
            others.append(crowd)
        for one in others:
            one.leave()
        with bridges.alone(bridge):
            call, fits = begin("alone")
        assert fits, f"no call is on bridge '{bridge}', although it is the only one"
        other, fits = begin("other")
        yield call, [] if fits else [other]


def test_calls_go_on_without_the_jms_bridge(
    lab: LabUnderTest, bridges: Bridges, target: Target, room: str
) -> None:
    """When this fails, the loss of one bridge ends calls although others are free."""
    own = str(lab.topology.jms.bridge)
    if len(bridges.nodes) < 2:
        pytest.skip("this lab has one bridge only")
    with call_on(own, bridges, lab, target, room) as (call, others):
        began = time.monotonic()
        bridges.stop(own)
        call.wait_for(Kind.TERMINATED, deadline=GONE_SECONDS, after=began)
        call.wait_for(Kind.REINVITED, deadline=MOVE_SECONDS, after=began)
        bridges.wait_operational(len(bridges.nodes) - 1, seconds=GONE_SECONDS)
        assert own not in jicofo.bridges_of(lab.machines["jms"], target.room_jid(call.room, None))
        if not lab.topology.spec.relays:
            disturbed = [view.nick for one in others for view in one.views() if was_moved(view)]
            assert disturbed == [], "calls on other bridges must not be affected"
        with crowd_in(target, f"{room}-new") as fresh:
            fresh.join(2)
            fresh.wait_invited(deadline=MOVE_SECONDS)


def was_moved(view: View) -> bool:
    return view.first(Kind.TERMINATED) is not None or view.first(Kind.REINVITED) is not None


def test_calls_end_without_bridges_and_recover_with_one(
    lab: LabUnderTest, bridges: Bridges, conference: SyncCrowd
) -> None:
    """When this fails, a lab does not notice that it lost all bridges, or never recovers."""
    began = time.monotonic()
    bridges.stop(*bridges.nodes)
    bridges.wait_operational(0, seconds=GONE_SECONDS)
    conference.wait_for(Kind.TERMINATED, deadline=GONE_SECONDS, after=began)
    last = jicofo.wait_value(
        lambda: connected(conference), [False] * 3, seconds=GONE_SECONDS, patience=lab.patience
    )
    assert last == [False] * 3
    ended = max(event.at for view in conference.views() for event in view.events)
    with pytest.raises(CrowdError, match="had no event 'reinvited'"):
        conference.participants[0].wait_for(Kind.REINVITED, deadline=WATCH_SECONDS, after=ended)
    bridges.start(str(lab.topology.jms.bridge))
    conference.wait_for(Kind.REINVITED, deadline=BACK_SECONDS, after=ended)
    assert connected(conference) == [True] * 3
