"""Participants against a server on loopback: good days first, then bad ones."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.crowd import Crowd, CrowdError, Kind, Options, Participant, StanzaError, Target
from labctl.crowd.caps import FEATURES, VER
from tests.crowd.fakexmpp import DOMAIN, GARBAGE, FakeXmpp, running, write_certificates

pytestmark = pytest.mark.sockets

JINGLE = "{urn:xmpp:jingle:1}jingle"


def play(folder: Path, server: FakeXmpp, scene: Callable[[Target], Awaitable[None]]) -> None:
    """Run a scene against a server; none may take longer than ten seconds."""

    async def main() -> None:
        async with asyncio.timeout(10), running(server, folder) as target:
            await scene(target)

    asyncio.run(main())


def kinds(participant: Participant) -> list[str]:
    return [str(event.kind) for event in participant.events]


def test_join_invitation_and_leaving(tmp_path: Path) -> None:
    server = FakeXmpp()

    async def scene(target: Target) -> None:
        async with Participant(target, "R1", nick="abcd1234") as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.ACCEPTED, deadline=5)
            view = one.view()
            assert (view.state, view.role, view.vnode) == ("joined", "participant", None)
            assert (view.sid, view.bridge_session, view.region) == ("s1", "b1", "lab")
            assert set(view.occupants) == {"abcd1234", "focus"}
            assert view.others == frozenset()
        assert kinds(one) == [
            "connected", "authenticated", "answered", "joined", "invited", "accepted", "left",
        ]  # fmt: skip
        times = [event.at for event in one.events]
        assert times == sorted(times)

    play(tmp_path, server, scene)
    assert server.seen[0] == "connect room=r1"
    assert server.rooms == {f"r1@conference.{DOMAIN}": {}}


def test_disco_is_answered_with_what_the_caps_promise(tmp_path: Path) -> None:
    server = FakeXmpp()

    async def scene(target: Target) -> None:
        async with Participant(target, "r1") as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.ACCEPTED, deadline=5)

    play(tmp_path, server, scene)
    query = "{http://jabber.org/protocol/disco#info}query"
    [answer] = [s.find(query) for s in server.stanzas if s.find(query) is not None]
    assert answer is not None and answer.get("node") == "n#v"
    features = [item.get("var") for item in answer if item.tag.endswith("feature")]
    assert features == list(FEATURES)
    [presence] = [s for s in server.stanzas if s.tag.endswith("presence") and not s.get("type")]
    caps = presence.find("{http://jabber.org/protocol/caps}c")
    assert caps is not None and caps.get("ver") == VER


@pytest.mark.parametrize(
    ("vnode", "sources", "expected"),
    [
        pytest.param(None, 0, 0, id="main without sources"),
        pytest.param(None, 2, 2, id="main with two"),
        pytest.param("v1", 2, 0, id="a visitor never has any"),
    ],
)
def test_sources_in_session_accept(
    tmp_path: Path, vnode: str | None, sources: int, expected: int
) -> None:
    server = FakeXmpp(vnode=vnode)

    async def scene(target: Target) -> None:
        options = Options(audio_sources=sources)
        async with Participant(target, "r1", options=options) as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.ACCEPTED, deadline=5)

    play(tmp_path, server, scene)
    [accept] = [s.find(JINGLE) for s in server.stanzas if s.find(JINGLE) is not None]
    assert accept is not None and accept.get("action") == "session-accept"
    assert len(list(accept.iter("{urn:xmpp:jingle:apps:rtp:ssma:0}source"))) == expected
    assert accept.find(".//{urn:xmpp:jingle:apps:dtls:0}fingerprint") is not None


def test_redirection(tmp_path: Path) -> None:
    server = FakeXmpp(vnode="v2")

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", want_visitor=True) as one:
            await one.join(deadline=5)
            assert (one.vnode, one.view().role) == ("v2", "visitor")
            assert one.view().first(Kind.REDIRECTED) is not None

    play(tmp_path, server, scene)
    assert [word for word in server.seen if word.startswith("connect")] == [
        "connect room=r1",
        "connect room=r1 vnode=v2",
    ]
    assert list(server.rooms) == ["r1@conference.v2.meet.jitsi"]
    opened = [s.get("to") for s in server.stanzas if s.tag.endswith("open")]
    assert opened == [DOMAIN, DOMAIN, "v2.meet.jitsi", "v2.meet.jitsi"]
    [request] = [s[0] for s in server.stanzas if len(s) and s[0].tag.endswith("conference")]
    properties = {item.get("name"): item.get("value") for item in request}
    assert (properties["visitors-version"], properties["visitor"]) == ("1", "true")


def test_it_asks_again_while_the_focus_is_not_ready(tmp_path: Path) -> None:
    server = FakeXmpp(not_ready=1)

    async def scene(target: Target) -> None:
        async with Participant(target, "r1") as one:
            await one.join(deadline=5)
            assert kinds(one)[2:5] == ["waiting", "answered", "joined"]

    play(tmp_path, server, scene)


def test_a_crowd_talks(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        async with Crowd(target, "r1") as crowd:
            await crowd.join(2)
            await crowd.join(3, rate=100)
            await crowd.wait_invited(deadline=5)
            crowd.participants[0].say("hello")
            heard = await crowd.wait_for(Kind.MESSAGE, deadline=5)
            assert [event.details["body"] for event in heard] == ["hello"] * 5

    play(tmp_path, FakeXmpp(), scene)


def test_termination_and_second_invitation(tmp_path: Path) -> None:
    server = FakeXmpp()

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", nick="aaaaaaaa") as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.INVITED, deadline=5)
            room, people = next(iter(server.rooms.items()))
            await people["aaaaaaaa"].send(
                f"<iq xmlns='jabber:client' type='set' id='t' from='{room}/focus'>"
                "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='s1'>"
                "<reason><gone/><text>bridge left</text></reason></jingle></iq>"
            )
            ended = await one.wait_for(Kind.TERMINATED, deadline=5)
            assert (ended.details["reason"], ended.details["text"]) == ("gone", "bridge left")
            assert one.view().sid is None
            await server.send_invitation(people["aaaaaaaa"], room, sid="s2")
            again = await one.wait_for(Kind.REINVITED, deadline=5)
            assert again.details["sid"] == one.view().sid == "s2"

    play(tmp_path, server, scene)


BAD_DAYS = [
    pytest.param({"open": "send:not xml at all"}, "not a stanza", id="garbage for an open"),
    pytest.param({"presence": f"send:{GARBAGE}"}, "not a stanza", id="half an element"),
    pytest.param(
        {"presence": "send:<a xmlns='urn:xmpp:sm:3' h='x'/>"}, "not a stanza", id="no number"
    ),
    pytest.param(
        {"presence": "send:<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}, "document type", id="a DTD"
    ),
    pytest.param({"bind": "binary"}, "binary frame", id="a binary frame"),
    pytest.param({"presence": "half"}, "cut", id="cut in the middle of a stanza"),
    pytest.param({"conference": "cut"}, "cut", id="cut while asking the focus"),
    pytest.param({"auth": "cut"}, "cut", id="cut during the login"),
    pytest.param(
        {
            "auth": "send:<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
            "<not-authorized/></failure>"
        },
        "'not-authorized'",
        id="login refused",
    ),
    pytest.param({"conference": "error:not-authorized"}, "'not-authorized'", id="focus refuses"),
    pytest.param({"conference": "error:item-not-found"}, "'item-not-found'", id="no focus"),
    pytest.param(
        {
            "presence": "send:<presence xmlns='jabber:client' type='error' "
            f"from='r1@conference.{DOMAIN}/x'><error type='cancel'>"
            "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
            "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>by a moderator</text>"
            "</error></presence>"
        },
        "'not-allowed' (by a moderator)",
        id="the room refuses",
    ),
    pytest.param(
        {
            "bind": "send:<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"
            "<host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        },
        "stream error 'host-unknown'",
        id="stream error",
    ),
    pytest.param(
        {"auth": "send:<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"},
        "closed the stream",
        id="stream closed",
    ),
    pytest.param({"open": "silent"}, "login to 'meet.lab.internal'", id="silent at the login"),
    pytest.param({"conference": "silent"}, "answer the conference", id="silent focus"),
    pytest.param({"presence": "silent"}, "its own presence in", id="silent room"),
]


@pytest.mark.parametrize(("script", "said"), BAD_DAYS)
def test_bad_days_end_with_one_sentence(
    tmp_path: Path, script: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(target: Target) -> None:
        one = Participant(target, "r1", nick="abcd1234")
        began = time.monotonic()
        with pytest.raises(CrowdError) as caught:
            await one.join(deadline=0.7)
        assert time.monotonic() - began < 3
        assert said in caught.value.message
        assert "'abcd1234' did not join 'r1'" in caught.value.message
        assert one.state == "lost"
        assert kinds(one).count("lost") == 1
        await one.leave()

    play(tmp_path, FakeXmpp(script=script), scene)
    assert [record.message for record in caplog.records if "asyncio" in record.name] == []


def test_lost_while_waiting_is_heard_at_once(tmp_path: Path) -> None:
    server = FakeXmpp(invite=False, script={"message": f"send:{GARBAGE}"})

    async def scene(target: Target) -> None:
        async with Participant(target, "r1") as one:
            await one.join(deadline=5)
            waiting = asyncio.ensure_future(one.wait_for(Kind.INVITED, deadline=8))
            await asyncio.sleep(0)
            one.say("provoke it")
            with pytest.raises(CrowdError, match="waited for 'invited' but: lost reason="):
                await waiting
            with pytest.raises(CrowdError, match="waited for 'invited' but: lost"):
                await one.wait_for(Kind.INVITED, deadline=8)

    play(tmp_path, server, scene)


def test_a_wait_names_what_was_last_seen(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        async with Participant(target, "r1") as one:
            await one.join(deadline=5)
            with pytest.raises(CrowdError, match=r"'invited' within 0\.2 s.*joined role"):
                await one.wait_for(Kind.INVITED, deadline=0.2)
            assert one.state == "joined"

    play(tmp_path, FakeXmpp(invite=False), scene)


def test_unanswered_pings_are_a_loss(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        options = Options(ping_every=0.1)
        async with Participant(target, "r1", options=options) as one:
            await one.join(deadline=5)
            lost = await one.wait_for(Kind.LOST, deadline=5)
            assert "no answer to pings" in lost.details["reason"]

    play(tmp_path, FakeXmpp(script={"ping": "silent"}), scene)


def test_answered_pings_keep_it(tmp_path: Path) -> None:
    server = FakeXmpp()

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", options=Options(ping_every=0.05)) as one:
            await one.join(deadline=5)
            with pytest.raises(CrowdError):
                await one.wait_for(Kind.LOST, deadline=0.5)
            assert one.state == "joined"

    play(tmp_path, server, scene)
    assert server.seen.count("ping") >= 5


def test_a_certificate_of_another_ca_is_refused(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        other, _ = write_certificates(tmp_path / "other")
        target.ca_file = other
        with pytest.raises(CrowdError, match="certificate is not trusted"):
            await Participant(target, "r1").join(deadline=5)

    play(tmp_path, FakeXmpp(), scene)


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        target.domain = "other.lab.internal"
        with pytest.raises(CrowdError, match="certificate is not trusted"):
            await Participant(target, "r1").join(deadline=5)

    play(tmp_path, FakeXmpp(), scene)


def test_nothing_is_sent_before_the_address_is_proven(tmp_path: Path) -> None:
    server = FakeXmpp()

    def refuse(address: IPv4Address) -> None:
        raise LabError(f"'{address}' is not ours.")

    async def scene(target: Target) -> None:
        target.prove = refuse
        with pytest.raises(LabError, match="is not ours"):
            await Participant(target, "r1").join(deadline=5)

    play(tmp_path, server, scene)
    assert server.seen == []


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ca_file, _ = write_certificates(tmp_path / "good")
        address, port = IPv4Address("127.0.0.1"), taken.getsockname()[1]
        target = Target(address, port, DOMAIN, ca_file, prove=lambda _: None)

        async def scene() -> None:
            with pytest.raises(CrowdError, match=r"No TCP connection to 127\.0\.0\.1"):
                await Participant(target, "r1").join(deadline=5)

        asyncio.run(scene())


def test_a_server_that_does_not_speak_http(tmp_path: Path) -> None:
    """TLS is never answered: the deadline ends it."""

    async def scene() -> None:
        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            ended.set()

        ended = asyncio.Event()
        ca_file, _ = write_certificates(tmp_path / "good")
        async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            target = Target(IPv4Address("127.0.0.1"), port, DOMAIN, ca_file, prove=lambda _: None)
            with pytest.raises(CrowdError, match=r"within 0\.5 s: it waited for a connection"):
                await Participant(target, "r1").join(deadline=0.5)
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(scene())


def test_a_crowd_says_how_many_failed(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        async with Crowd(target, "r1") as crowd:
            with pytest.raises(CrowdError, match=r"3 of 3 participants did not join\. The first"):
                await crowd.join(3, rate=100)
            assert [view.state for view in crowd.views()] == ["lost"] * 3

    play(tmp_path, FakeXmpp(script={"conference": "error:not-authorized"}), scene)


def test_the_cause_is_kept(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        with pytest.raises(CrowdError) as caught:
            await Participant(target, "r1").join(deadline=5)
        assert isinstance(caught.value.__cause__, StanzaError)
        assert caught.value.__cause__.condition == "not-authorized"

    play(tmp_path, FakeXmpp(script={"conference": "error:not-authorized"}), scene)


def test_options_are_values() -> None:
    assert replace(Options(), audio_sources=1) == Options(audio_sources=1)
