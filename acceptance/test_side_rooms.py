"""Lobby and breakout rooms, with a visitor in the meeting.

One meeting for all: a moderator, a participant and a visitor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import pytest

from acceptance import jicofo
from acceptance.chat import heard
from acceptance.meeting import SECONDS, Meeting, meeting_in
from acceptance.moderator import Menu, Note, bounced, told
from acceptance.older import PLUGINS
from acceptance.stranger import Stranger, stranger_at
from labctl.crowd import Target
from labctl.crowd.conference import parse_presence
from labctl.crowd.xml import DISCO_INFO, MUC_USER, element, error_of, local
from labctl.topology.model import Topology

pytestmark = pytest.mark.moderation


@pytest.fixture(scope="module")
def meeting(target: Target, topology: Topology) -> Iterator[Meeting]:
    with meeting_in("accept-side-rooms", target, topology) as found:
        yield found


def add_breakout(meeting: Meeting, name: str) -> str:
    """The address of a new breakout room; no other may have had this name."""
    meeting.menu.add_breakout(name)
    note = told(meeting.participant, "breakout_rooms", _has_room(name), meeting.patience)
    [jid] = [room["jid"] for room in note["rooms"].values() if room.get("name") == name]
    return str(jid)


def _has_room(name: str, nick: str = "") -> Callable[[Note], bool]:
    """There is a breakout room of this name, and in it somebody with this nick."""

    def fits(note: Note) -> bool:
        rooms = [room for room in note["rooms"].values() if room.get("name") == name]
        people = [address.rpartition("/")[2] for room in rooms for address in room["participants"]]
        return bool(rooms) and (not nick or nick in people)

    return fits


def test_people_move_to_a_breakout_room_and_back(meeting: Meeting) -> None:
    """When this fails, groups cannot be formed, or nobody sees who is in which.

    A breakout room has no hall: whoever goes there has a seat, although the meeting has visitors.
    """
    main, breakout = meeting.menu.room_jid, add_breakout(meeting, "Group A")
    with stranger_at(meeting.target, room=meeting.menu.room) as mover:
        assert mover.enter(main, nick="mover") == "joined"
        answer = mover.request_conference(breakout)
        assert (answer.ready, answer.vnode) == (True, None)
        mover.leave(main, nick="mover", status="switch_room")
        assert mover.enter(breakout, nick="mover") == "joined"
        told(meeting.participant, "breakout_rooms", _has_room("Group A", "mover"), meeting.patience)
        meeting.menu.rename_breakout(breakout, "Group B")
        told(meeting.participant, "breakout_rooms", _has_room("Group B", "mover"), meeting.patience)
        mover.leave(breakout, nick="mover", status="switch_room")
        assert mover.enter(main, nick="mover") == "joined"
        mover.leave(main, nick="mover")
    meeting.menu.remove_breakout(breakout)
    assert meeting.visitors_stay()


@pytest.mark.since(PLUGINS, "whoever knows a breakout room's name enters it")
def test_breakout_rooms_are_for_people_of_the_meeting(meeting: Meeting) -> None:
    """When this fails, somebody from outside sits in a group, past lobby and password."""
    breakout = add_breakout(meeting, "Group D")
    with stranger_at(meeting.target, room="elsewhere") as outsider:
        outsider.request_conference(breakout)
        assert outsider.enter(breakout) == "not-allowed"
    meeting.menu.remove_breakout(breakout)


def test_breakout_room_that_is_removed_sends_people_back(meeting: Meeting) -> None:
    """When this fails, a group goes on without the meeting, or is thrown out of both."""
    jid = add_breakout(meeting, "Group C")
    with stranger_at(meeting.target, room=meeting.menu.room) as mover:
        mover.enter(meeting.menu.room_jid, nick="mover")
        mover.request_conference(jid)
        mover.leave(meeting.menu.room_jid, nick="mover", status="switch_room")
        assert mover.enter(jid, nick="mover") == "joined"
        mark = mover.mark
        meeting.menu.remove_breakout(jid)
        gone = mover.wait_for(lambda s: s.get("type") == "unavailable"
                              and s.get("from") == f"{jid}/mover", after=mark)  # fmt: skip
    destroyed = gone.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}destroy")
    assert destroyed is not None
    assert destroyed.get("jid") == meeting.menu.room_jid


def test_breakout_rooms_are_made_by_moderators(meeting: Meeting) -> None:
    """When this fails, any participant scatters the meeting over rooms."""
    began = time.monotonic()
    Menu(meeting.participant, meeting.domain, meeting.menu.room).add_breakout("Group X")
    bounced(meeting.participant, f"breakout.{meeting.domain}", after=began)


@dataclass(frozen=True)
class Lobby:
    """A meeting whose lobby is on, and who waits there."""

    jid: str
    guest: Stranger
    second: Stranger
    entrance: Element
    """What the room said to the guest."""


GUESTS = ("guest", "second")


@pytest.fixture(scope="module")
def lobby(meeting: Meeting, topology: Topology) -> Iterator[Lobby]:
    """The lobby is on until the tests that need it are done."""
    if not topology.spec.lobby:
        pytest.skip("this lab has no lobby ('lobby = off')")
    member = str(meeting.participant.view().jid).partition("/")[0]
    meeting.menu.set_lobby(True, members=[member])
    try:
        told(meeting.participant, "lobby-notify", lambda n: n.get("value") is True,
             meeting.patience)  # fmt: skip
        target, room = meeting.target, meeting.menu.room_jid
        with (
            stranger_at(target, room=meeting.menu.room) as guest,
            stranger_at(target, room=meeting.menu.room) as second,
        ):
            entrance = guest.knock(room, nick="guest", name="Guest")
            jid = next((x.text for x in entrance.iter() if local(x.tag) == "lobbyroom"), None)
            assert jid, f"no lobby was named: {error_of(entrance)}"
            meeting.menu.enter_lobby(jid)
            for one, nick in zip((guest, second), GUESTS, strict=True):
                assert one.enter(jid, nick=nick, name=nick.title()) == "joined"
            yield Lobby(jid, guest, second, entrance)
    finally:
        if meeting.moderator.view().state == "joined":
            meeting.menu.set_lobby(False)


def test_newcomers_wait_in_the_lobby(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, strangers walk in although the door is closed, or find no place to wait."""
    assert error_of(lobby.entrance)[0] == "registration-required"
    assert lobby.jid == f"{meeting.menu.room}@lobby.{meeting.domain}"
    assert meeting.participant.view().state == "joined", "who was there is thrown out"
    assert meeting.visitors_stay()


def test_people_in_the_lobby_do_not_see_each_other(lobby: Lobby) -> None:
    """When this fails, strangers see who else waits, and can write to them."""
    lobby.guest.tell(f"{lobby.jid}/second", element("body", None, "psst"), kind="chat")
    # Whatever came of it has come before this; a lobby lets no other answer pass.
    query = element("query", None, ns=DISCO_INFO)
    assert lobby.guest.attempt("get", query, to=lobby.jid.partition("@")[2]) == "done"
    seen = [s.get("from") for one, other in ((lobby.guest, "second"), (lobby.second, "guest"))
            for s in one.heard() if s.get("from") == f"{lobby.jid}/{other}"]  # fmt: skip
    assert seen == []


def test_nobody_is_sent_to_the_hall_while_the_lobby_is_on(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, the hall is a way in past the closed door.

    The next one would be a visitor without the lobby, and so would who asks for it.
    """
    for wanted in (False, True):
        answer = lobby.guest.request_conference(meeting.menu.room_jid, visitor=wanted)
        assert answer.vnode is None, f"sent to '{answer.vnode}', visitor={wanted}"


def test_vnode_lets_nobody_in_while_the_lobby_is_on(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, who knows the vnode's address goes past the lobby."""
    vnode = meeting.in_the_hall().view().vnode
    hall = f"{meeting.menu.room}@conference.{vnode}.meet.jitsi"
    refused = ("not-allowed", "Visitors not allowed while lobby is on!")

    def answer() -> tuple[str, str]:
        with stranger_at(meeting.target, vnode=vnode, room=meeting.menu.room) as visitor:
            return error_of(visitor.knock(hall))

    # The main server tells the vnode, and this test can be there before the word is.
    found = jicofo.wait_value(answer, refused, seconds=SECONDS, patience=meeting.patience)
    assert found == refused


def test_visitors_hear_the_stage_while_the_lobby_is_on(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, a lobby that is switched on late cuts the hall off."""
    hall, words = meeting.in_the_hall(), "the door is closed now"
    meeting.moderator.say(words)
    heard(hall, words, meeting.patience)


def test_a_name_does_not_open_the_door(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, who calls itself focus walks in past the lobby."""
    with stranger_at(meeting.target, room=meeting.menu.room) as liar:
        assert liar.enter(meeting.menu.room_jid, nick="focus", name="focus") != "joined"


def test_lobby_asks_for_a_name(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, moderators are asked to let in somebody without a name."""
    with stranger_at(meeting.target, room=meeting.menu.room) as nobody:
        assert nobody.enter(meeting.menu.room_jid, nick="nobody") == "not-acceptable"


def test_moderator_lets_people_in(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, guests wait for ever."""
    mark = lobby.guest.mark
    meeting.menu.let_in(lobby.guest.jid)
    lobby.guest.wait_for(
        lambda s: s.find(f"{{{MUC_USER}}}x/{{{MUC_USER}}}invite") is not None, after=mark
    )
    assert lobby.guest.enter(meeting.menu.room_jid, nick="guest", name="Guest") == "joined"
    told(meeting.participant, "lobby-notify", _event("LOBBY-ACCESS-GRANTED"), meeting.patience)
    lobby.guest.leave(meeting.menu.room_jid, nick="guest")


def test_moderator_turns_people_away(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, a moderator cannot get rid of somebody who waits."""
    mark = lobby.second.mark
    meeting.menu.turn_away(lobby.jid, "second")
    gone = lobby.second.wait_for(lambda s: s.get("type") == "unavailable", after=mark)
    assert "307" in parse_presence(gone).statuses
    told(meeting.participant, "lobby-notify", _event("LOBBY-ACCESS-DENIED"), meeting.patience)


def _event(name: str) -> Callable[[Note], bool]:
    return lambda note: note.get("event") == name


def test_the_hall_opens_again_after_the_lobby(meeting: Meeting, lobby: Lobby) -> None:
    """When this fails, a meeting that once had a lobby takes in nobody, or everybody."""
    meeting.in_the_hall()
    meeting.menu.set_lobby(False)
    told(meeting.participant, "lobby-notify", lambda n: n.get("value") is False, meeting.patience)

    def sent() -> bool:
        return lobby.guest.request_conference(meeting.menu.room_jid).vnode is not None

    redirected = jicofo.wait_value(sent, True, seconds=SECONDS, patience=meeting.patience)
    assert redirected, "newcomers get seats although the meeting has visitors"
