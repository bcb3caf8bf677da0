"""Settings, moderation, statistics, polls and the end of a meeting, with a visitor in it.

One meeting for all: a moderator, a participant and a visitor.  The last test ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

import pytest

from acceptance import jicofo
from acceptance.meeting import IN_THE_HALL, SECONDS, Meeting, meeting_in
from acceptance.moderator import Menu, Note, bounced, notes, parse_note, poll, told, vote
from acceptance.older import PLUGINS
from acceptance.stranger import stranger_at
from labctl.crowd import Kind, StanzaError, Target
from labctl.crowd.sync import SyncParticipant
from labctl.crowd.xml import DISCO_INFO, child, element
from labctl.topology.model import Topology

pytestmark = pytest.mark.moderation


@pytest.fixture(scope="module")
def meeting(target: Target, topology: Topology) -> Iterator[Meeting]:
    with meeting_in("accept-moderated", target, topology) as found:
        yield found


def disco(who: SyncParticipant, domain: str, node: str | None = None) -> Element:
    """What a domain says of itself."""
    answer = who.ask("get", element("query", {"node": node}, ns=DISCO_INFO), to=domain)
    query = child(answer, DISCO_INFO, "query")
    assert query is not None
    return query


def test_clients_find_every_menus_component(meeting: Meeting, topology: Topology) -> None:
    """When this fails, the menu of a missing component is not there, or does nothing."""
    found = {
        item.get("type"): item.get("name")
        for item in disco(meeting.participant, meeting.domain)
        if item.get("category") == "component"
    }
    hosts = {
        "lobbyrooms": "lobby", "breakout_rooms": "breakout", "polls": "polls",
        "speakerstats": "speakerstats", "av_moderation": "avmoderation",
        "room_metadata": "metadata", "end_conference": "endconference",
        "file-sharing": "filesharing",
    }  # fmt: skip
    if not topology.spec.lobby:
        del hosts["lobbyrooms"]
    expected = {kind: f"{host}.{meeting.domain}" for kind, host in hosts.items()}
    assert {kind: found.get(kind) for kind in expected} == expected


@pytest.mark.parametrize("kind", ["lobbyrooms", "breakout_rooms"])
def test_component_says_what_it_can(meeting: Meeting, topology: Topology, kind: str) -> None:
    """When this fails, the client hides renaming of rooms, or asks no name before the lobby."""
    if kind == "lobbyrooms" and not topology.spec.lobby:
        pytest.skip("this lab has no lobby ('lobby = off')")
    domain = {"lobbyrooms": "lobby", "breakout_rooms": "breakout"}[kind] + f".{meeting.domain}"
    features = {item.get("var") for item in disco(meeting.participant, domain, kind)}
    if kind == "breakout_rooms":
        assert "http://jitsi.org/protocol/breakout_rooms#rename" in features


@pytest.mark.since(PLUGINS, "clients ask for TURN servers themselves")
def test_newcomers_know_the_meetings_settings_first(meeting: Meeting) -> None:
    """When this fails, a client joins without what it needs: TURN servers, rules for unmuting."""
    events = meeting.participant.view().events
    joined = next(index for index, event in enumerate(events) if event.kind is Kind.JOINED)
    first = [
        parse_note(event.details["text"]) for event in events[:joined] if event.kind is Kind.NOTE
    ]
    settings = [note for note in first if note.get("type") == "room_metadata"]
    assert settings, "nothing of the room's metadata came before the room itself"
    assert {"stun", "turn"} <= {item["type"] for item in settings[0]["metadata"]["services"]}


def test_moderators_change_settings_for_everybody(meeting: Meeting) -> None:
    """When this fails, a moderator's choice reaches nobody, such as a meeting that is recorded."""
    meeting.menu.set_metadata("accept-setting", {"on": True})
    told(
        meeting.participant,
        "room_metadata",
        lambda note: note["metadata"].get("accept-setting") == {"on": True},
        meeting.patience,
    )


def test_only_moderators_change_settings(meeting: Meeting) -> None:
    """When this fails, anybody changes the meeting's rules for all others."""
    began = time.monotonic()
    Menu(meeting.participant, meeting.domain, meeting.menu.room).set_metadata("accept-bad", 1)
    event = bounced(meeting.participant, f"metadata.{meeting.domain}", after=began)
    assert event.details["condition"] == "service-unavailable"
    assert not any("accept-bad" in n["metadata"] for n in notes(meeting.moderator, "room_metadata"))


@pytest.mark.since(PLUGINS, "a moderator changes the limit of the stage")
def test_nobody_changes_the_servers_own_settings(meeting: Meeting) -> None:
    """When this fails, a moderator sets the limit of the stage, which is the operator's."""
    began = time.monotonic()
    meeting.menu.set_metadata("participantsSoftLimit", 1000)
    event = bounced(meeting.moderator, f"metadata.{meeting.domain}", after=began)
    assert event.details["condition"] == "service-unavailable"


def test_nobody_unmutes_without_leave(meeting: Meeting) -> None:
    """When this fails, a moderator cannot stop a noisy room, or people stay muted for ever.

    Jicofo mutes everybody but the one who wanted it, refuses to unmute, and lets those that the
    moderator names.
    """
    other = Menu(meeting.participant, meeting.domain, meeting.menu.room)
    other.unmute()
    meeting.menu.set_moderation("audio", on=True)
    try:
        told(meeting.participant, "av_moderation", _is_on, meeting.patience)
        meeting.participant.wait_for(Kind.MUTED, deadline=SECONDS)
        with pytest.raises(StanzaError, match="not-allowed"):
            other.unmute()
        meeting.menu.allow("audio", meeting.participant.nick)
        told(meeting.participant, "av_moderation", lambda n: bool(n.get("approved")),
             meeting.patience)  # fmt: skip
        address = f"{meeting.menu.room_jid}/{meeting.participant.nick}"
        told(
            meeting.moderator,
            "av_moderation",
            lambda note: address in note.get("whitelists", {}).get("audio", []),
            meeting.patience,
        )
        allowed = jicofo.wait_value(
            lambda: _may(other), True, seconds=SECONDS, patience=meeting.patience
        )
        assert allowed, "the moderator's leave did not reach Jicofo"
        assert meeting.moderator.view().last(Kind.MUTED) is None
    finally:
        meeting.menu.set_moderation("audio", on=False)
    told(meeting.participant, "av_moderation", lambda n: n.get("enabled") is False,
         meeting.patience)  # fmt: skip


def _is_on(note: Note) -> bool:
    return note.get("enabled") is True and note.get("mediaType") == "audio"


def _may(menu: Menu) -> bool:
    try:
        menu.unmute()
    except StanzaError:
        return False
    return True


def test_moderation_is_for_moderators(meeting: Meeting) -> None:
    """When this fails, any participant mutes the whole meeting."""
    began = time.monotonic()
    menu = Menu(meeting.participant, meeting.domain, meeting.menu.room)
    menu.set_moderation("video", on=True)
    bounced(meeting.participant, f"avmoderation.{meeting.domain}", after=began)
    assert not any(n.get("mediaType") == "video" for n in notes(meeting.moderator, "av_moderation"))


def test_statistics_reach_who_comes_later(meeting: Meeting) -> None:
    """When this fails, the statistics of who spoke how long begin anew with every newcomer."""
    Menu(meeting.participant, meeting.domain, meeting.menu.room).speak()
    nick = meeting.participant.nick
    with stranger_at(meeting.target, room=meeting.menu.room) as late:
        assert late.enter(meeting.menu.room_jid, nick="late") == "joined"
        words = late.wait_note(lambda words: parse_note(words).get("type") == "speakerstats")
        late.leave(meeting.menu.room_jid, nick="late")
    assert parse_note(words)["users"][nick]["totalDominantSpeakerTime"] >= 0


def test_a_poll_reaches_the_stage_and_the_hall(meeting: Meeting, newer_plugins: bool) -> None:
    """When this fails, some are asked and others are not, or votes of the hall are not counted."""
    domain = meeting.domain
    poll(meeting.moderator, f"polls.{domain}", "Shall we begin?", ["Yes", "No"])
    asked = told(meeting.participant, "polls", _asks, meeting.patience)
    assert [answer["name"] for answer in asked["answers"]] == ["Yes", "No"]
    assert asked["senderId"] == meeting.moderator.nick
    vote(meeting.participant, f"polls.{domain}", [True, False])
    told(meeting.moderator, "polls", _voted(meeting.participant, [True, False]), meeting.patience)
    if meeting.visitor is None:
        return
    hall, polls = meeting.visitor, meeting.polls_of(meeting.visitor)
    told(hall, "polls", _asks, meeting.patience)
    told(hall, "polls", _voted(meeting.participant, [True, False]), meeting.patience)
    if not newer_plugins:
        return  # votes of the hall are not counted
    vote(hall, polls, [False, True])
    told(meeting.moderator, "polls", _voted(hall, [False, True]), meeting.patience)


def _asks(note: Note) -> bool:
    return note.get("command") == "new-poll" and note.get("question") == "Shall we begin?"


def _voted(who: SyncParticipant, votes: list[bool]) -> Callable[[Note], bool]:
    """A vote of this person has come."""
    expected = {"command": "answer-poll", "senderId": who.nick, "answers": votes}
    return lambda note: expected.items() <= note.items()


@pytest.mark.since(PLUGINS, "a visitor's poll is dropped without an answer")
def test_visitors_ask_no_polls(meeting: Meeting) -> None:
    """When this fails, one of ten thousand visitors puts a question on everybody's screen."""
    hall, began = meeting.in_the_hall(), time.monotonic()
    poll(hall, meeting.polls_of(hall), "Mine?", ["Yes"], name="poll-2")
    event = bounced(hall, meeting.polls_of(hall), after=began)
    assert event.details["condition"] == "not-allowed"
    assert not any(n.get("pollId") == "poll-2" for n in notes(meeting.moderator, "polls"))


def test_who_comes_later_sees_earlier_polls(meeting: Meeting) -> None:
    """When this fails, latecomers cannot vote: on the stage, or in the hall."""
    poll(meeting.moderator, f"polls.{meeting.domain}", "For all?", ["Yes", "No"], name="poll-3")
    with stranger_at(meeting.target, room=meeting.menu.room) as late:
        assert late.enter(meeting.menu.room_jid, nick="later") == "joined"
        late.wait_note(lambda words: _has_poll(words, "poll-3"))
        late.leave(meeting.menu.room_jid, nick="later")
    if meeting.visitor is None:
        return
    told(meeting.visitor, "polls", lambda n: n.get("pollId") == "poll-3", meeting.patience)
    [late_visitor] = meeting.crowd.join(1, deadline=SECONDS, options=IN_THE_HALL)
    try:
        told(late_visitor, "polls", lambda n: n.get("command") == "old-polls", meeting.patience)
    finally:
        late_visitor.leave()


def _has_poll(words: str, name: str) -> bool:
    note = parse_note(words)
    return note.get("command") == "old-polls" and name in {p["pollId"] for p in note["polls"]}


def test_only_moderators_end_the_meeting(meeting: Meeting) -> None:
    """When this fails, any participant throws everybody out."""
    began = time.monotonic()
    Menu(meeting.participant, meeting.domain, meeting.menu.room).end()
    bounced(meeting.participant, f"endconference.{meeting.domain}", after=began)
    assert meeting.moderator.view().state == "joined"


def test_the_end_reaches_everybody(meeting: Meeting) -> None:
    """When this fails, people stay on stage or in the hall of a meeting that has been ended."""
    ended = time.monotonic()
    meeting.menu.end()
    everybody = [meeting.moderator, meeting.participant, meeting.visitor]
    reasons = [
        one.wait_for(Kind.REMOVED, deadline=SECONDS, after=ended).details["reason"]
        for one in everybody
        if one is not None
    ]
    stage = "room destroyed: The meeting has been terminated"
    assert reasons[:2] == [stage, stage]
    assert set(reasons[2:]) <= {"room destroyed: Conference ended."}
