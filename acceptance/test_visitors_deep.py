"""Visitors, deeper: limits that change, promotion that is asked for, names, chat, lost vnodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from acceptance import jicofo, prosody, web
from acceptance.chat import heard, hears, messages
from acceptance.remote import Machine
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.topology.model import Topology

pytestmark = pytest.mark.visitors

SECONDS = 20
MANY = 20
"""Messages one after another, each way."""
MARKUP = '<b>Zoë</b> & "O\'Brien" 🎉'
LISTENER = Options(want_visitor=True)
AT_ONCE = 2.0
"""Seconds for what comes with joining, if it comes."""
GRACE = 30.0
"""The vnode's room goes 15 s after its last visitor."""


@pytest.fixture(autouse=True)
def vnodes_there(topology: Topology) -> None:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")


@dataclass(frozen=True)
class Hall:
    """A speaker, and a visitor who came after the speaker had said something."""

    crowd: SyncCrowd
    speaker: SyncParticipant
    visitor: SyncParticipant


BEFORE = "said before the hall was opened"


@pytest.fixture(scope="module")
def hall(target: Target, topology: Topology, patience: Patience) -> Iterator[Hall]:
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")
    with crowd_in(target, "accept-hall") as crowd:
        [speaker] = crowd.join(1, deadline=SECONDS)
        speaker.say(BEFORE)
        heard(speaker, BEFORE, patience)
        options = Options(want_visitor=True, name=MARKUP)
        [visitor] = crowd.join(1, deadline=SECONDS, options=options)
        yield Hall(crowd, speaker, visitor)


def test_first_visitor_reads_what_was_said_before(hall: Hall, patience: Patience) -> None:
    """When this fails, who comes to the hall does not know what the meeting is about.

    The history goes from the room's own component to the vnode, which upstream's how-to gives no
    way to get there; labctl's configuration does.  It has a stream of its own, and what opens the
    room has another one: where that is faster, the first visitor is in before the history is.
    Upstream waits for neither, so both are right, but whoever comes then reads it.
    """
    reader = hall.visitor
    if not hears(reader, BEFORE, patience, seconds=AT_ONCE):
        [reader] = hall.crowd.join(1, deadline=SECONDS, options=LISTENER)
    try:
        event = heard(reader, BEFORE, patience)
    finally:
        if reader is not hall.visitor:
            reader.leave()
    assert event.details["delayed"] == "true", "it was said anew"
    muc = f"{hall.crowd.room}@conference.{hall.visitor.view().vnode}.meet.jitsi"
    assert event.details["from"] == f"{muc}/{hall.speaker.nick}"


def test_later_visitors_miss_what_was_said_since(hall: Hall, patience: Patience) -> None:
    """When this fails, upstream became better: later visitors read all that was said.

    A vnode gets the history once, when it is linked; what is said later is passed on and not kept
    there.  So a visitor who comes later, or reconnects, reads the beginning and then nothing.
    """
    hall.speaker.say("said since")
    heard(hall.visitor, "said since", patience)
    [late] = hall.crowd.join(1, deadline=SECONDS, options=LISTENER)
    try:
        heard(late, BEFORE, patience)
        hall.speaker.say("said now")
        heard(late, "said now", patience)
        bodies = [event.details["body"] for event in messages(late)]
    finally:
        late.leave()
    assert "said since" not in bodies, "better than upstream used to be"


def test_name_of_a_visitor_arrives_as_it_is(hall: Hall, patience: Patience) -> None:
    """When this fails, names are shown broken, or a name can carry commands to others' screens."""
    hall.visitor.say("who am I?")
    event = heard(hall.speaker, "who am I?", patience)
    assert (event.details["name"], event.details["nick"]) == (MARKUP, MARKUP)
    assert event.details["source"] == "visitor"


def test_chat_keeps_its_order_both_ways(hall: Hall, patience: Patience) -> None:
    """When this fails, answers stand before their questions, or words are lost in a busy chat."""
    there = [f"stage {index}" for index in range(MANY)]
    back = [f"hall {index}" for index in range(MANY)]
    for one, other in zip(there, back, strict=True):
        hall.speaker.say(one)
        hall.visitor.say(other)
    heard(hall.visitor, there[-1], patience)
    heard(hall.speaker, back[-1], patience)
    bodies = [[e.details["body"] for e in messages(who)] for who in (hall.visitor, hall.speaker)]
    assert [word for word in bodies[0] if word in there] == there
    assert [word for word in bodies[1] if word in back] == back


def test_limit_of_one(target: Target, jms: Machine, room: str) -> None:
    """When this fails, a lecture with one speaker lets a second one onto the stage."""
    with crowd_in(target, room) as crowd:
        crowd.join(1, deadline=SECONDS)
        prosody.set_limit(jms, target.room_jid(room, None), 1)
        crowd.join(1, deadline=SECONDS)
        first, second = crowd.views()
        assert (first.vnode, second.role) == (None, "visitor")


@pytest.mark.slow
def test_limit_changes_while_the_room_is_full(target: Target, jms: Machine, room: str) -> None:
    """When this fails, a lowered limit throws speakers out, or a raised one is ignored."""
    jid = target.room_jid(room, None)
    with crowd_in(target, room) as crowd:
        crowd.join(2, deadline=SECONDS)
        prosody.set_limit(jms, jid, 1)
        assert [view.state for view in crowd.views()] == ["joined", "joined"]
        prosody.set_limit(jms, jid, 3)
        crowd.join(2, deadline=SECONDS)
        assert [view.vnode is not None for view in crowd.views()] == [False, False, False, True]


@pytest.mark.slow
def test_who_was_promoted_takes_a_seat(target: Target, jms: Machine, room: str) -> None:
    """When this fails, promoted visitors are not counted and the stage grows past its limit.

    Seen after the hall has closed, when the limit counts again.
    """
    jid = target.room_jid(room, None)
    with crowd_in(target, room) as crowd:
        crowd.join(1, deadline=SECONDS)
        [visitor] = crowd.join(1, deadline=SECONDS, options=LISTENER)
        visitor.promote(deadline=SECONDS)
        prosody.set_limit(jms, jid, 3)

        def seat() -> bool:
            reply = web.request_conference(target, room, visitor=False)
            return reply.status == 200 and "vnode" not in reply.json()

        free = jicofo.wait_value(seat, True, seconds=GRACE, patience=target.patience)
        assert free, "no third seat after the hall has closed"
        prosody.set_limit(jms, jid, 2)
        reply = web.request_conference(target, room, visitor=False)
        assert "vnode" in reply.json(), "the promoted visitor has no seat"


@pytest.mark.slow
def test_after_the_end_visitors_find_a_fresh_stage(
    target: Target, patience: Patience, room: str
) -> None:
    """When this fails, a hall whose speakers are gone waits for nobody, for ever.

    Its people are sent home, and whoever comes back first is on a stage of its own.
    """
    with crowd_in(target, room) as crowd:
        [speaker] = crowd.join(1, deadline=SECONDS)
        visitors = crowd.join(2, deadline=SECONDS, options=LISTENER)
        ended = time.monotonic()
        speaker.leave()
        for visitor in visitors:
            visitor.wait_for(Kind.REMOVED, deadline=SECONDS, after=ended)
    with crowd_in(target, room) as crowd:
        [first] = crowd.join(1, deadline=SECONDS)
        role = jicofo.wait_value(
            lambda: first.view().role, "moderator", seconds=SECONDS, patience=patience
        )
        assert (first.view().vnode, role) == (None, "moderator")
