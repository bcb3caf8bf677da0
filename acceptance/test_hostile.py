"""Hostile participants: what they try fails, and the others' call goes on.

Everybody here came in by the front door, without an account, as participants do.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from acceptance import jicofo
from acceptance.chat import CHAT_SECONDS, has_heard, heard
from acceptance.moderator import MUC_ADMIN
from acceptance.older import PLUGINS
from acceptance.remote import Machine
from acceptance.stranger import Stranger, stranger_at
from labctl.core.waiting import Patience
from labctl.crowd import CrowdError, Kind, StanzaError, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.crowd.xml import (
    CLIENT,
    JINGLE,
    PING,
    element,
    error_of,
    text,
)
from labctl.topology.model import Topology

pytestmark = pytest.mark.security

SECONDS = 20
FLOOD = 1000
MEGABYTE = 1024 * 1024
THOUSAND = 1000
STAYING = 50
EMPTY_SECONDS = 180
"""Those that got in leave at 5 a second, those that wait come in at 3."""
AT_ONCE = 20
"""Logins under way at the same time in the crowd that knocks."""
KNOCK_SECONDS = 60
"""One of a thousand may wait for the others."""
ENDINGS = (Kind.LOST, Kind.REMOVED, Kind.TERMINATED, Kind.REINVITED)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Call:
    """A call of two that must go on whatever happens beside it."""

    crowd: SyncCrowd
    room_jid: str
    patience: Patience

    @property
    def people(self) -> list[SyncParticipant]:
        return self.crowd.participants

    def goes_on(self) -> None:
        """Both are there, on the same bridge session as before, and hear each other's words."""
        began, number = time.monotonic(), next(_numbers)
        for one in self.people:
            one.say(f"{one.nick} is here {number}")
        first, second = self.people
        for who, other in ((first, second), (second, first)):
            # One's own words come back, too.
            who.wait_for(Kind.MESSAGE, deadline=CHAT_SECONDS, count=2, after=began)
            assert has_heard(who, f"{other.nick} is here {number}")
        ended = [
            f"{view.nick}: {event}"
            for view in self.crowd.views()
            for event in view.events
            if event.kind in ENDINGS
        ]
        assert ended == []
        assert [view.state for view in self.crowd.views()] == ["joined", "joined"]


@pytest.fixture(scope="module")
def call(target: Target, patience: Patience) -> Iterator[Call]:
    with crowd_in(target, "accept-hostile") as crowd:
        crowd.join(2, deadline=SECONDS)
        crowd.wait_for(Kind.ACCEPTED, deadline=SECONDS)
        yield Call(crowd, target.room_jid(crowd.room, None), patience)


@pytest.fixture
def hostile(target: Target, call: Call) -> Iterator[Stranger]:
    """Somebody with bad intentions; the call is looked at when they are done."""
    with stranger_at(target, room=call.crowd.room) as found:
        yield found
    call.goes_on()


def test_stranger_poses_as_a_bridge(hostile: Stranger, topology: Topology, jms: Machine) -> None:
    """When this fails, a participant takes over calls: Jicofo sends people to it as to a bridge."""
    before = set(jicofo.bridges(jms))
    brewery = f"jvbbrewery@internal.auth.{topology.domain}"
    stats = element("stats", None, element("stat", {"name": "stress_level", "value": "0"}),
                    ns="http://jitsi.org/protocol/colibri")  # fmt: skip
    answer = hostile.knock(brewery, nick="jvb-evil", payload=stats)
    assert error_of(answer)[0] in ("registration-required", "forbidden", "not-allowed")
    assert set(jicofo.bridges(jms)) == before


def test_stranger_calls_itself_focus(hostile: Stranger, call: Call) -> None:
    """When this fails, somebody speaks for Jicofo: invites, mutes and throws people out."""
    assert hostile.enter(call.room_jid, nick="focus") == "conflict"


def test_stranger_takes_anothers_place(hostile: Stranger, call: Call) -> None:
    """When this fails, somebody pushes a participant out by taking its nick."""
    assert hostile.enter(call.room_jid, nick=call.people[0].nick) == "conflict"


def test_stranger_opens_a_room_without_jicofo(hostile: Stranger, topology: Topology) -> None:
    """When this fails, strangers use the server as they like: rooms without bridge or limits."""
    assert hostile.enter(f"own-room@conference.{topology.domain}") != "joined"
    health = f"__jicofo-health-check-evil@conference.{topology.domain}"
    assert hostile.enter(health) != "joined"


def test_stranger_sends_presence_for_another(target: Target, call: Call) -> None:
    """When this fails, anybody makes others leave, or puts words into their mouths."""
    victim = call.people[0].view()
    with stranger_at(target, room=call.crowd.room) as hostile:
        for stanza in (
            element("presence", {"from": victim.jid, "to": f"{call.room_jid}/{victim.nick}",
                                 "type": "unavailable"}, ns=CLIENT),
            element("message", {"from": victim.jid, "to": call.room_jid, "type": "groupchat"},
                    element("body", None, "put into a mouth"), ns=CLIENT),
        ):  # fmt: skip
            hostile.send(stanza)
        settle(hostile, target)
    call.goes_on()
    assert not has_heard(call.people[1], "put into a mouth")


def settle(hostile: Stranger, target: Target) -> None:
    """Everything sent before this has been looked at, or the server has ended the stream."""
    with suppress(CrowdError):
        hostile.ping(target.domain)


def test_stranger_speaks_without_being_there(hostile: Stranger, call: Call) -> None:
    """When this fails, somebody writes into any meeting without having joined it."""
    mark = hostile.mark
    hostile.tell(call.room_jid, element("body", None, "from outside"), kind="groupchat")
    answer = hostile.wait_for(lambda s: s.get("type") == "error", after=mark)
    assert error_of(answer)[0] == "not-acceptable"
    assert not has_heard(call.people[0], "from outside")


def test_stranger_throws_people_out(hostile: Stranger, call: Call) -> None:
    """When this fails, anybody kicks anybody."""
    item = element("item", {"nick": call.people[0].nick, "role": "none"})
    query = element("query", None, item, ns=MUC_ADMIN)
    said = hostile.attempt("set", query, to=call.room_jid)
    assert said in ("forbidden", "not-allowed", "not-acceptable"), said


def test_stranger_hangs_up_for_jicofo(hostile: Stranger, call: Call) -> None:
    """When this fails, anybody ends others' sound and picture in Jicofo's name."""
    end = element("jingle", {"action": "session-terminate", "sid": "x"}, ns=JINGLE)
    occupant = f"{call.room_jid}/{call.people[0].nick}"
    assert hostile.attempt("set", end, to=occupant) != "done"


@pytest.mark.since(PLUGINS, "a moderator throws Jicofo out, and nobody comes to a bridge any more")
def test_participant_attacks_jicofo(call: Call) -> None:
    """When this fails, a moderator throws Jicofo out and ends every call of the room with that."""
    for item in ({"nick": "focus", "role": "none"},
                 {"jid": f"focus@auth.{domain_of(call)}", "affiliation": "outcast"}):  # fmt: skip
        query = element("query", None, element("item", item), ns=MUC_ADMIN)
        with pytest.raises(StanzaError, match=r"not-allowed|forbidden"):
            call.people[0].ask("set", query, to=call.room_jid)
    call.goes_on()


def domain_of(call: Call) -> str:
    return call.room_jid.partition("@conference.")[2]


@pytest.mark.slow
def test_flood_of_requests(hostile: Stranger, target: Target, call: Call) -> None:
    """When this fails, one client that asks without pause makes everybody else wait."""
    for index in range(FLOOD):
        ping = element("ping", ns=PING)
        attributes = {"type": "get", "id": f"flood-{index}", "to": target.domain}
        hostile.send(element("iq", attributes, ping, ns=CLIENT))
    call.goes_on()


@pytest.mark.slow
def test_flood_of_conference_requests(hostile: Stranger, call: Call) -> None:
    """When this fails, one client keeps Jicofo too busy to let others in."""
    for _ in range(30):
        answer = hostile.request_conference(call.room_jid)
        assert answer.ready


def test_stanza_of_a_megabyte(target: Target, call: Call) -> None:
    """When this fails, one message fills the memory of the server or of everybody in the room."""
    with stranger_at(target, room=call.crowd.room) as hostile:
        assert hostile.enter(call.room_jid, nick="evil") == "joined"
        body = element("body", None, text("x" * MEGABYTE))
        hostile.tell(call.room_jid, body, kind="groupchat")
        assert hostile.wait_lost()
    call.goes_on()
    longest = max(
        len(event.details.get("body", "")) for one in call.people for event in one.view().events
    )
    assert longest < MEGABYTE


@pytest.mark.slow
def test_thousand_joins_of_one_address(target: Target, call: Call, patience: Patience) -> None:
    """When this fails, one machine that joins a thousand times ends a meeting.

    Prosody lets three a second into a room, and the others wait in its queue.  Most leave before
    their turn comes, as a program does that joins again and again; the last ones stay.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda index: _knock(target, call, index).close(), range(THOUSAND - STAYING)))
        staying = list(
            pool.map(lambda index: _knock(target, call, index), range(THOUSAND - STAYING, THOUSAND))
        )
        try:
            _say_on(call)
        finally:
            list(pool.map(Stranger.close, staying))
    alone = jicofo.wait_value(
        lambda: [len(one.view().others) for one in call.people],
        [1, 1], seconds=EMPTY_SECONDS, patience=patience,
    )  # fmt: skip
    assert alone == [1, 1], "those that left are still in the room"
    call.goes_on()


def _knock(target: Target, call: Call, index: int) -> Stranger:
    """Log in and ask to join, without waiting for the answer."""
    one = Stranger(target, room=call.crowd.room, seconds=KNOCK_SECONDS)
    join = element("x", ns="http://jabber.org/protocol/muc")
    one.send(element("presence", {"to": f"{call.room_jid}/evil-{index}"}, join, ns=CLIENT))
    return one


def _say_on(call: Call) -> None:
    """The two of the call still hear each other."""
    first, second = call.people
    first.say("with a thousand at the door")
    heard(second, "with a thousand at the door", call.patience)
