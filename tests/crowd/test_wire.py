"""A WebSocket over TLS, its other end in memory: how it is opened, what is heard and sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from labctl.crowd import CrowdError
from labctl.crowd.wire import PIECE, READ_SIZE, Wire
from tests.crowd.fakexmpp import DOMAIN
from tests.crowd.wiring import PATH, Meeting, play, text


def test_the_upgrade_asks_for_the_path_at_the_labs_domain(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        request = meeting.server.request
        assert request is not None
        assert (request.path, request.headers["Host"]) == (PATH, DOMAIN)
        assert request.headers["Sec-WebSocket-Protocol"] == "xmpp"
        assert meeting.ends == []

    play(folder, scene)


@pytest.mark.parametrize("at_once", [1, 7, PIECE - 1, PIECE, PIECE + 1, READ_SIZE])
def test_messages_come_whole_however_the_network_cuts_them(folder: Path, at_once: int) -> None:
    async def scene(meeting: Meeting) -> None:
        words = ["", "x" * 3 * PIECE, "ü" * 20_000, "last"]
        meeting.server.send(*map(text, words))
        meeting.exchange(at_once=at_once)
        assert meeting.heard == words

    play(folder, scene)


def test_two_messages_in_one_piece_are_both_heard_at_once(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.server.send(text("one"), text("two"))
        meeting.arrive(meeting.server.outgoing.read())
        assert meeting.heard == ["one", "two"]

    play(folder, scene)


@pytest.mark.parametrize("size", [0, 1, PIECE - 20, PIECE, 3 * PIECE + 1, 100_000])
def test_messages_of_every_size_are_sent(folder: Path, size: int) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.wire.send("ü" + "x" * size)
        meeting.exchange()
        assert meeting.server.frames == [(Opcode.TEXT, ("ü" + "x" * size).encode())]

    play(folder, scene)


def test_nothing_is_sent_before_the_upgrade(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.wire.send("too early")
        await meeting.open()
        assert meeting.server.frames == []

    play(folder, scene, opened=False)


def test_nothing_is_sent_after_the_end(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.lose()
        meeting.wire.send("too late")
        assert meeting.cable.sent == b""

    play(folder, scene)


def test_every_ping_is_answered_once(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        for number in (b"1", b"2"):
            meeting.server.send(Frame(Opcode.PING, number))
            meeting.exchange()
        assert meeting.server.frames == [(Opcode.PONG, b"1"), (Opcode.PONG, b"2")]

    play(folder, scene)


def test_pings_that_come_together_are_answered_together(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.server.send(Frame(Opcode.PING, b"1"), Frame(Opcode.PING, b"2"))
        meeting.arrive(meeting.server.outgoing.read())
        meeting.exchange()
        assert meeting.server.frames == [(Opcode.PONG, b"1"), (Opcode.PONG, b"2")]

    play(folder, scene)


def test_a_ping_is_answered_although_more_is_on_its_way(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.server.send(Frame(Opcode.PING, b"1"), text("words"))
        coming = meeting.server.outgoing.read()
        meeting.arrive(coming[:-1])
        meeting.server.take(meeting.cable.sent)
        assert (meeting.server.frames, meeting.heard) == ([(Opcode.PONG, b"1")], [])

    play(folder, scene)


def test_nothing_is_written_if_there_is_nothing_to_say(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        before = meeting.cable.writes
        meeting.server.send(text("words"))
        meeting.exchange()
        assert meeting.heard == ["words"] and meeting.cable.writes == before

    play(folder, scene)


def test_a_later_connection_resumes_the_tls_session_of_the_first(folder: Path) -> None:
    async def scene(first: Meeting) -> None:
        session = first.target.session
        assert session is not None and first.server.tls.session_reused is False
        for _ in range(2):
            later = Meeting(first.target, first.context)
            await later.open()
            assert later.server.tls.session_reused
            assert later.target.session is session

    play(folder, scene)


async def refused(meeting: Meeting, happen: Callable[[], None]) -> str:
    """What is told to who opens a wire if something else happens first."""
    opening = asyncio.ensure_future(meeting.opening())
    await asyncio.sleep(0)
    happen()
    with pytest.raises(CrowdError) as caught:
        await opening
    assert meeting.ends == [], "who opens it is told, and nobody else"
    return caught.value.message


def test_a_refused_upgrade_is_told_with_the_servers_reason(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        told = await refused(meeting, meeting.exchange)
        assert told == "The WebSocket was refused: the server answered HTTP 400."
        assert meeting.cable.closing
        meeting.lose()
        assert meeting.ends == [], "nor when its connection ends"

    play(folder, scene, opened=False, protocol="other")


def test_what_comes_right_behind_the_handshake_is_read(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.context.maximum_version = ssl.TLSVersion.TLSv1_2  # its server speaks last
        other = Meeting(meeting.target, meeting.context)

        def hang_up() -> None:
            for hello in (True, False):
                sent, other.cable.sent = other.cable.sent, b""
                other.server.take(sent)
                if not hello:
                    other.server.hang_up()
                other.arrive(other.server.outgoing.read())

        told = await refused(other, hang_up)
        assert told == "The WebSocket was cut without a close frame."

    play(folder, scene, opened=False)


def test_a_connection_that_is_cut_before_the_upgrade(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        assert await refused(meeting, meeting.lose) == "The connection was cut."

    play(folder, scene, opened=False)


def test_a_certificate_for_another_name(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.target.domain = "other.lab.internal"
        other = Meeting(meeting.target, meeting.context)
        told = await refused(other, other.exchange)
        assert told.startswith("The certificate is not trusted: Hostname mismatch")

    play(folder, scene, opened=False)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(111, "Connection refused"), "Connection refused"),
        (OSError("Multiple exceptions"), "Multiple exceptions"),
    ],
)
def test_nobody_listens(folder: Path, error: OSError, told: str) -> None:
    async def scene(meeting: Meeting) -> None:
        with pytest.raises(CrowdError) as caught:
            await meeting.open(fails=error)
        assert caught.value.message == f"No TCP connection to 127.0.0.1:443: {told}."
        assert caught.value.__cause__ is error

    play(folder, scene, opened=False)


def test_a_port_may_be_told(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.wire = Wire(
            meeting.target, PATH, on_text=meeting.hear, on_end=meeting.ends.append, port=8443
        )
        await meeting.open(port=8443)
        meeting.server.send(text("words"))
        meeting.exchange()
        assert meeting.heard == ["words"]

    play(folder, scene, opened=False)
