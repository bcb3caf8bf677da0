"""How clients come in: conference requests over HTTP, BOSH, and streams that are resumed."""

from __future__ import annotations

import time

import pytest

from acceptance import jicofo, web
from acceptance.rooms import JOIN_SECONDS
from acceptance.talks import BROWSER, PHONE, Lines
from labctl.core.waiting import Patience
from labctl.crowd import CrowdError, Event, Kind, Options, Target
from labctl.crowd.door import Line
from labctl.crowd.media.options import ChannelKind, MediaKind, MediaOptions
from labctl.crowd.sync import SyncParticipant, crowd_in
from labctl.topology.model import Topology

pytestmark = pytest.mark.transport

SECONDS = 20
HIBERNATION = 60
"""Seconds for which Prosody keeps the session of a lost connection: `smacks_hibernation_time`, and
`bosh_max_inactivity` by default."""
AWAY = 1.0
"""How long a connection is gone: a lift, a change from one network to another."""


def heard(who: SyncParticipant, words: str, patience: Patience) -> list[Event]:
    """All messages with these words, once there is one."""

    def look() -> list[Event]:
        return [event for event in who.view().events if event.details.get("body") == words]

    came = jicofo.wait_value(lambda: bool(look()), True, seconds=SECONDS, patience=patience)
    assert came, f"'{words}' did not come"
    return look()


def test_everybody_sees_everybody(lines: Lines, patience: Patience) -> None:
    """When this fails, people on phones or behind strict networks sit in a room of their own."""
    stage = frozenset(one.nick for one in lines.speakers)

    def look() -> list[frozenset[str]]:
        views = [one.view() for one in lines.everybody]
        return [view.others | {view.nick} if view.vnode is None else view.others for view in views]

    expected = [stage] * (3 + len(lines.visitors))
    assert jicofo.wait_value(look, expected, seconds=SECONDS, patience=patience) == expected


def test_everybody_is_on_a_bridge(lines: Lines) -> None:
    """When this fails, who came by BOSH or asked over HTTP is in the room and hears nobody."""
    lines.crowd.wait_invited(deadline=SECONDS)
    lines.crowd.wait_for(Kind.ACCEPTED, deadline=SECONDS)


def test_words_pass_between_all_lines(lines: Lines, patience: Patience) -> None:
    """When this fails, what is written on a phone is not read in browsers, or the other way."""
    everybody = lines.everybody
    for index, one in enumerate(everybody):
        one.say(f"words {index}")
    for one in everybody:
        for index in range(len(everybody)):
            assert len(heard(one, f"words {index}", patience)) == 1


def test_request_over_http_comes_before_the_connection(lines: Lines) -> None:
    """When this fails, clients of today need two connections to come to a vnode, or cannot come."""
    for one in (lines.early, *([lines.visitors["early"]] if lines.visitors else [])):
        view = one.view()
        answered, connected = view.first(Kind.ANSWERED), view.first(Kind.CONNECTED)
        assert answered is not None and connected is not None
        assert answered.at < connected.at
        assert len([event for event in view.events if event.kind is Kind.CONNECTED]) == 1
        assert connected.details["vnode"] == (view.vnode or "")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"properties": {}}, 400, id="no room"),
        pytest.param({"room": "not an address"}, 400, id="no address"),
    ],
)
def test_bad_request_over_http_is_refused(
    target: Target, body: dict[str, object], status: int
) -> None:
    """When this fails, a broken client is answered with a conference that nobody asked for."""
    assert web.ask(target, "/conference-request/v1", data=body).status == status


@pytest.mark.usefixtures("anybody_begins")
def test_pages_of_other_sites_may_ask(target: Target, room: str) -> None:
    """When this fails, a meeting that is embedded in another site cannot begin over HTTP."""
    reply = web.request_conference(target, room, visitor=False)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"


def test_whole_call_over_bosh(target: Target, room: str, patience: Patience) -> None:
    """When this fails, a phone on a network without WebSockets joins and hears nothing.

    Or who hung up there stays on everybody's screen for a minute.
    """
    media = MediaOptions(kind=MediaKind.AUDIO, channel=ChannelKind.NONE)
    with crowd_in(target, room, options=Options(line=Line.BOSH, media=media)) as crowd:
        stays, leaves = crowd.join(2, deadline=JOIN_SECONDS)
        crowd.wait_media(deadline=SECONDS)
        leaves.leave()
        gone = jicofo.wait_value(
            lambda: leaves.nick in stays.view().others, False, seconds=5, patience=patience
        )
        assert gone is False


def test_lost_connection_keeps_the_seat(
    lines: Lines, patience: Patience, newer_plugins: bool
) -> None:
    """When this fails, a change of network throws people out of the call, or loses their words.

    A speaker and a visitor lose their connections, miss something, come back, and are where they
    were.  On a vnode that takes newer plugins: with older ones it forgets who was there.
    """
    lines.crowd.wait_invited(deadline=SECONDS)
    watcher = lines.phone
    resumable = lines.visitors and newer_plugins
    away = [lines.browser, *([lines.visitors["browser"]] if resumable else [])]
    before = {one.nick: one.view() for one in away}
    for one in away:
        one.drop()
    missed = [f"missed {index}" for index in range(3)]
    for line in missed:
        watcher.say(line)
    time.sleep(patience.scaled(AWAY))
    assert lines.browser.nick in watcher.view().others, "the others saw it leave"
    for one in away:
        one.resume(deadline=SECONDS)
        one.say(f"{one.nick} is back")
        assert len(heard(watcher, f"{one.nick} is back", patience)) == 1
        for line in missed:
            assert len(heard(one, line, patience)) == 1
        then, now = before[one.nick], one.view()
        bodies = [event.details["body"] for event in now.events if event.kind is Kind.MESSAGE]
        assert [body for body in bodies if body in missed] == missed, "in their order"
        assert (now.jid, now.role, now.sid) == (then.jid, then.role, then.sid)
        assert not now.last(Kind.TERMINATED) and not now.last(Kind.REMOVED)
        assert len([event for event in now.events if event.kind is Kind.JOINED]) == 1


@pytest.mark.slow
@pytest.mark.visitors
def test_seat_of_a_full_room_is_kept(target: Target, topology: Topology, room: str) -> None:
    """When this fails, a speaker who loses the network for seconds comes back as a visitor."""
    seats = topology.spec.max_participants
    with crowd_in(target, room, options=BROWSER) as crowd:
        speakers = crowd.join(seats, deadline=JOIN_SECONDS)
        # Jicofo counts whom it has seen in the room, and invites them: on a busy host it may not
        # have seen the last one yet when the next one asks.
        crowd.wait_invited(deadline=SECONDS)
        speakers[0].drop()
        [late] = crowd.join(1, deadline=JOIN_SECONDS)
        assert (late.view().vnode is None) == (not topology.vnodes)
        speakers[0].resume(deadline=SECONDS)
        speakers[0].say("still here")
        heard(late, "still here", target.patience)
        assert (speakers[0].view().vnode, speakers[0].view().role) in [
            (None, "participant"), (None, "moderator"),
        ]  # fmt: skip


@pytest.mark.slow
def test_connection_that_stays_lost_gives_the_seat_back(target: Target, room: str) -> None:
    """When this fails, people who vanished keep their seats for ever, whatever they came by.

    Who comes back later than that is refused and has to join anew.
    """
    with crowd_in(target, room) as crowd:
        [stays] = crowd.join(1, deadline=JOIN_SECONDS)
        [browser] = crowd.join(1, deadline=JOIN_SECONDS, options=BROWSER)
        [phone] = crowd.join(1, deadline=JOIN_SECONDS, options=PHONE)
        browser.drop()
        phone.cut()
        lost = time.monotonic()
        nobody: frozenset[str] = frozenset()
        alone = jicofo.wait_value(
            lambda: stays.view().others, nobody, seconds=HIBERNATION + 30, patience=target.patience
        )
        assert alone == nobody
        assert time.monotonic() - lost >= HIBERNATION - 10, "nobody had time to come back"
        with pytest.raises(CrowdError, match="item-not-found"):
            browser.resume(deadline=SECONDS)
