"""The hall over time: sticky, spread over the vnodes, promoted, demoted, sent home."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from acceptance import jicofo, web
from acceptance.chance import tries_for
from acceptance.stranger import stranger_at
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.topology.model import Topology, VNode
from labctl.topology.spec import Auth

pytestmark = pytest.mark.visitors

SECONDS = 20
END_SECONDS = 12.0
"""The originals take less than a second from the last speaker's leave to the end of the vnode's
room (docs/facts/observed-labs.md, 11); 5.4 s were seen, too (docs/facts/observed.md, 21)."""
GRACE = (8.0, 30.0)
"""The vnode's room goes 15 s after its last visitor; seen by asking every second."""
COUNT_SECONDS = 25
ASKED_AT_ONCE = 4
"""Conferences; Jicofo takes a quarter of a second for each, alone or beside three others."""
LISTENER = Options(want_visitor=True)


@pytest.fixture(autouse=True)
def vnodes_there(topology: Topology) -> None:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")


@pytest.fixture
def talk(target: Target, room: str) -> Iterator[tuple[SyncParticipant, SyncParticipant, SyncCrowd]]:
    """A speaker, a listener, and the conference they are in."""
    with crowd_in(target, room) as crowd:
        [speaker] = crowd.join(1, deadline=SECONDS)
        [listener] = crowd.join(1, deadline=SECONDS, options=LISTENER)
        yield speaker, listener, crowd


Talk = tuple[SyncParticipant, SyncParticipant, SyncCrowd]


@pytest.mark.usefixtures("anybody_begins")
def test_conferences_spread_over_all_vnodes(target: Target, topology: Topology, room: str) -> None:
    """When this fails, one vnode carries all visitors while others are idle, or is never used.

    Asked over HTTP until every vnode was named; see `tries_for` for the chance of a false alarm.
    """
    expected = {vnode.name for vnode in topology.vnodes}
    seen: list[str] = []

    def ask(index: int) -> str:
        reply = web.request_conference(target, f"{room}-{index}", visitor=True)
        assert reply.status == 200, reply
        return str(reply.json().get("vnode", "none"))

    with ThreadPoolExecutor(max_workers=ASKED_AT_ONCE) as pool:
        for first in range(0, tries_for(len(expected)), ASKED_AT_ONCE):
            seen += pool.map(ask, range(first, first + ASKED_AT_ONCE))
            if set(seen) >= expected:
                break
    assert set(seen) == expected, f"{len(seen)} conferences: {seen}"


def test_vnode_lets_visitors_log_in(target: Target, vnode: VNode) -> None:
    """When this fails, whoever is sent to this vnode gets an error page instead of the hall."""
    with stranger_at(target, vnode=vnode.name) as visitor:
        assert visitor.jid.partition("@")[2].startswith(f"{vnode.domain}/")


def test_vnode_lets_nobody_make_a_room(target: Target, vnode: VNode, room: str) -> None:
    """When this fails, strangers meet on a vnode without Jicofo and without any speaker."""
    with stranger_at(target, vnode=vnode.name) as visitor:
        assert visitor.enter(f"{room}@conference.{vnode.domain}") != "joined"


def test_hall_is_sticky(talk: Talk) -> None:
    """When this fails, a conference with visitors is torn over vnodes or takes in late speakers.

    Once it has visitors every later one is a visitor too, however empty the main room is.
    """
    _, listener, crowd = talk
    crowd.join(2, deadline=SECONDS)
    assert {view.vnode for view in crowd.views()[1:]} == {listener.view().vnode}


def test_visitor_comes_to_the_stage_and_goes_back(
    talk: Talk, topology: Topology, patience: Patience
) -> None:
    """When this fails, who raises a hand is not let speak, or cannot be sent back to listen.

    A demotion is the client's: it leaves the main room and asks again, as a visitor.
    """
    speaker, listener, crowd = talk
    vnode = listener.view().vnode
    listener.promote(deadline=SECONDS)
    promoted = listener.view()
    # Where accounts begin conferences, who has one is a moderator on the stage.
    role = "moderator" if topology.spec.auth is Auth.INTERNAL else "participant"
    assert (promoted.vnode, promoted.role) == (None, role)
    on_stage = jicofo.wait_value(
        lambda: listener.nick in speaker.view().others, True, seconds=SECONDS, patience=patience
    )
    assert on_stage, f"{sorted(speaker.view().others)} are on the stage"
    crowd.wait_invited(deadline=SECONDS)
    listener.leave()
    [again] = crowd.join(1, deadline=SECONDS, options=LISTENER)
    assert (again.view().role, again.view().vnode) == ("visitor", vnode)
    nobody: frozenset[str] = frozenset()
    alone = jicofo.wait_value(
        lambda: speaker.view().others, nobody, seconds=SECONDS, patience=patience
    )
    assert alone == nobody


def test_promotion_is_the_servers_to_give(talk: Talk, target: Target) -> None:
    """When this fails, a visitor promotes itself past the moderators.

    What goes to the visitors component directly is answered as if it were not there.
    """
    _, listener, _ = talk
    with stranger_at(target, vnode=listener.view().vnode) as visitor:
        assert visitor.ping(f"visitors.{target.domain}") in ("service-unavailable", "not-allowed")


@pytest.mark.slow
def test_main_room_sees_the_visitor_count(talk: Talk, patience: Patience) -> None:
    """When this fails, speakers see a wrong number of listeners for good.

    Jicofo tells of the first one at once, and of changes every 15 s (`notification-interval`).
    """
    speaker, _, crowd = talk
    crowd.join(2, deadline=SECONDS, options=LISTENER)
    told = jicofo.wait_value(
        lambda: speaker.view().conference.get("visitor-count"),
        "3",
        seconds=COUNT_SECONDS,
        patience=patience,
    )
    assert told == "3"


@pytest.mark.slow
def test_conference_end_reaches_the_hall(talk: Talk, patience: Patience) -> None:
    """When this fails, visitors look at a dead stage and do not know that it is over."""
    speaker, listener, _ = talk
    ended = time.monotonic()
    speaker.leave()
    event = listener.wait_for(Kind.REMOVED, deadline=END_SECONDS, after=ended)
    assert event.at - ended <= patience.scaled(END_SECONDS)
    assert listener.view().state == "removed", "the stream itself stays open"


@pytest.mark.slow
def test_empty_hall_is_closed(talk: Talk, target: Target) -> None:
    """When this fails, a conference that once had a visitor has no seats left for ever.

    Seen from outside: who asks is sent to the vnode until its room is destroyed, 15 s after the
    last visitor left; then there are seats again.
    """
    _, listener, crowd = talk
    left = time.monotonic()
    listener.leave()

    def seat() -> bool:
        reply = web.request_conference(target, crowd.room, visitor=False)
        return reply.status == 200 and "vnode" not in reply.json()

    closed = jicofo.wait_value(seat, True, seconds=GRACE[1], patience=target.patience)
    assert closed, "still sent to the vnode"
    assert time.monotonic() - left >= GRACE[0], "a visitor who reconnects finds the hall closed"


@pytest.mark.slow
def test_every_vnode_shows_the_stage(target: Target, topology: Topology, room: str) -> None:
    """When this fails, visitors of one vnode are let in, see nobody, and think it has not begun."""
    waiting = {vnode.name for vnode in topology.vnodes}
    for index in range(tries_for(len(waiting))):
        with crowd_in(target, f"{room}-{index}") as crowd:
            [speaker] = crowd.join(1, deadline=SECONDS)
            [listener] = crowd.join(1, deadline=SECONDS, options=LISTENER)
            assert sees(listener, speaker, target.patience), f"on vnode '{listener.view().vnode}'"
            waiting.discard(str(listener.view().vnode))
        if not waiting:
            return
    pytest.fail(f"never sent to {sorted(waiting)}", pytrace=False)


def sees(listener: SyncParticipant, speaker: SyncParticipant, patience: Patience) -> bool:
    stage = frozenset([speaker.nick])
    seen = jicofo.wait_value(
        lambda: listener.view().others, stage, seconds=SECONDS, patience=patience
    )
    return seen == stage
