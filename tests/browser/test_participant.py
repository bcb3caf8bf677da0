"""A whole participant in a real Chromium, against a small XMPP server on loopback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from labctl.browser import BrowserOptions, BrowserParticipant, Snapshot, open_chromium
from labctl.browser.needs import BrowserError
from labctl.browser.session import Chromium
from labctl.browser.sync import SyncBrowserParticipant
from labctl.crowd import Target
from labctl.crowd.sync import wait
from tests.browser.conftest import OFFER
from tests.crowd.fakexmpp import FakeXmpp, running, write_certificates

pytestmark = pytest.mark.browser


class Inviting(FakeXmpp):
    """Invites with a whole offer, and keeps whom it invited."""

    async def send_invitation(self, ws: ServerConnection, room: str, *, sid: str = "s1") -> None:
        self.guest, self.room = ws, room
        disco = "http://jabber.org/protocol/disco#info"
        await ws.send(
            f"<iq xmlns='jabber:client' type='get' id='d1' from='{room}/focus'>"
            f"<query xmlns='{disco}' node='n#v'/></iq>"
        )
        await self.jingle(OFFER.read_text(encoding="utf-8").replace('sid="s1"', f'sid="{sid}"'))

    async def jingle(self, payload: str) -> None:
        await self.guest.send(
            f"<iq xmlns='jabber:client' type='set' id='j1' from='{self.room}/focus'>{payload}</iq>"
        )

    async def terminate(self, sid: str) -> None:
        await self.jingle(
            f"<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='{sid}'>"
            "<reason><success/><text>moving</text></reason></jingle>"
        )


@contextmanager
def joined(server: FakeXmpp, folder: Path) -> Iterator[SyncBrowserParticipant]:
    """Somebody in the room of a server of its own."""
    door = running(server, folder)
    target = wait(door.__aenter__())
    browser = open_chromium(target)
    one = BrowserParticipant(wait(browser.__aenter__()), "r1")
    try:
        wait(one.join(deadline=20))
        yield SyncBrowserParticipant(one)
    finally:
        wait(one.leave())
        wait(browser.__aexit__(None, None, None))
        wait(door.__aexit__(None, None, None))


def kinds(seen: Snapshot) -> list[str]:
    return [one.kind for one in seen.events]


def test_a_call_from_join_to_leave(tmp_path: Path) -> None:
    server = Inviting()
    with joined(server, tmp_path) as one:
        seen = one.wait_until(lambda s: bool(s.last("accepted")), deadline=10, what="accept")
        # States of media and channel come in between, as they will: no bridge is there.
        words = [kind for kind in kinds(seen) if "-" not in kind]
        assert words == ["connected", "authenticated", "answered", "joined", "invited", "accepted"]
        accepted = seen.last("accepted")
        assert accepted is not None and accepted.details["sid"] == "s1"
        assert {track.name for track in seen.received} <= {"aaaa1111-v0", "aaaa1111-a0"}
        assert {own.media for own in seen.sent} == {"audio", "video"}
        assert seen.channel is not None and seen.channel.kind == "websocket"
        wait(server.terminate("s1"))
        seen = one.wait_until(lambda s: bool(s.last("terminated")), deadline=5, what="end")
        assert seen.state == "none" and seen.channel is None
        wait(server.send_invitation(server.guest, server.room, sid="s2"))
        seen = one.wait_until(
            lambda s: (s.last("accepted") or s.events[0]).details.get("sid") == "s2",
            deadline=10,
            what="accept anew",
        )
        assert seen.last("reinvited")
    assert server.rooms["r1@conference.meet.lab.internal"] == {}, "it did not leave"
    disco, *_ = [one for one in server.stanzas if one.get("id") == "d1"]
    assert "http://jitsi.org/json-encoded-sources" in str(
        [child.get("var") for child in disco.iter()]
    )


def test_who_is_sent_to_a_vnode_becomes_a_visitor(tmp_path: Path) -> None:
    server = Inviting(vnode="v2")
    with joined(server, tmp_path) as one:
        seen = one.wait_until(lambda s: bool(s.last("accepted")), deadline=10, what="accept")
        assert seen.vnode == "v2"
        assert [own.media for own in seen.sent] == []
    assert "connect room=r1 vnode=v2" in server.seen
    assert "r1@conference.v2.meet.jitsi" in server.rooms
    (accept,) = [child for stanza in server.stanzas for child in stanza if child.get("action")]
    assert not list(accept.iter("{urn:xmpp:jingle:apps:rtp:ssma:0}source"))


def test_the_focus_is_asked_again_until_it_is_ready(tmp_path: Path) -> None:
    server = Inviting(not_ready=2)
    with joined(server, tmp_path) as one:
        assert kinds(one.snapshot()).count("waiting") == 2
    assert server.seen.count("conference") == 3


@pytest.mark.parametrize(
    ("stage", "action", "words"),
    [
        pytest.param("auth", "send:<failure xmlns='x'/>", "was refused", id="login"),
        pytest.param("conference", "error:not-authorized", "not-authorized", id="request"),
        pytest.param("presence", "cut:", "closed with code 1006", id="presence"),
    ],
)
def test_a_refusal_is_told(tmp_path: Path, stage: str, action: str, words: str) -> None:
    server = FakeXmpp(script={stage: action})
    with (
        pytest.raises(BrowserError, match=words),
        joined(server, tmp_path),
    ):
        pass


def test_a_server_of_another_ca_is_not_trusted(tmp_path: Path) -> None:
    other, _ = write_certificates(tmp_path / "other")

    async def attempt() -> None:
        async with running(FakeXmpp(), tmp_path) as target:
            await join_at(replace_ca(target, other))

    with pytest.raises(BrowserError, match=r"ERR_CERT_AUTHORITY_INVALID"):
        wait(attempt())


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    async def attempt() -> None:
        async with running(FakeXmpp(), tmp_path) as target:
            elsewhere = Target(
                target.address, target.port, "other.internal", target.ca_file, target.prove
            )
            await join_at(elsewhere)

    with pytest.raises(BrowserError, match=r"ERR_CERT_COMMON_NAME_INVALID"):
        wait(attempt())


def replace_ca(target: Target, ca_file: Path) -> Target:
    return Target(target.address, target.port, target.domain, ca_file, target.prove)


async def join_at(target: Target) -> None:
    async with open_chromium(target) as chromium:
        one = BrowserParticipant(chromium, "r1")
        try:
            await one.join(deadline=20)
        finally:
            await one.leave()


def test_a_wait_that_is_over_tells_what_was_seen(chromium: Chromium) -> None:
    one = BrowserParticipant(
        chromium, "r9", options=replace(BrowserOptions(), audio=False, video=False)
    )
    wait(one.join(deadline=20))
    try:
        with pytest.raises(BrowserError) as raised:
            wait(one.wait_until(lambda seen: False, deadline=0.1, what="fly"))
        assert re.search(r"did not fly within 0 s; last seen: .*joined", raised.value.message)
    finally:
        wait(one.leave())
