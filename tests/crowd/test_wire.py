"""A WebSocket over TLS, its other end in memory: what is heard, sent and told of its end."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from labctl.crowd import CrowdError
from labctl.crowd.wire import PIECE, READ_SIZE, Wire
from tests.crowd.fakexmpp import DOMAIN
from tests.crowd.wiring import PATH, Meeting, play, text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wire")


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


# How it ends.


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (None, "", "the server closed the WebSocket without a code"),
        (1006, "", "the server closed the WebSocket without a code"),
        (1001, "", "the server closed the WebSocket with code 1001"),
        (1008, "go away", "the server closed the WebSocket with code 1008 'go away'"),
    ],
)
def test_a_close_frame_is_told_and_answered(
    folder: Path, code: int | None, reason: str, told: str
) -> None:
    async def scene(meeting: Meeting) -> None:
        payload = b"" if code is None else code.to_bytes(2) + reason.encode()
        meeting.server.send(Frame(Opcode.CLOSE, payload))
        meeting.arrive(meeting.server.outgoing.read())
        assert meeting.ends == [told]
        assert meeting.cable.closing and not meeting.cable.aborted, "the answer is still on its way"
        meeting.server.take(meeting.cable.sent)
        assert meeting.server.frames == [(Opcode.CLOSE, (1000).to_bytes(2))]
        meeting.lose()
        assert meeting.ends == [told], "it ends once"

    play(folder, scene)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        pytest.param(
            Frame(Opcode.BINARY, b"x"),
            "the server broke the WebSocket protocol: it sent a binary frame",
            id="binary",
        ),
        pytest.param(text(b"\xff"), "the server sent a frame that is not UTF-8", id="bytes"),
    ],
)
def test_a_frame_that_cannot_be_read_ends_it(folder: Path, frame: Frame, told: str) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.server.send(frame)
        meeting.arrive(meeting.server.outgoing.read())
        assert (meeting.ends, meeting.heard) == ([told], [])
        assert meeting.cable.closing

    play(folder, scene)


def test_the_end_of_tls_is_the_end(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.server.hang_up()
        meeting.arrive(meeting.server.outgoing.read())
        assert meeting.ends == ["the WebSocket was cut without a close frame"]

    play(folder, scene)


def test_what_is_not_tls_is_told_as_that(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.arrive(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        [told] = meeting.ends
        assert told.startswith("TLS failed: ") and told == told.rstrip(")"), "OpenSSL's one word"

    play(folder, scene)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, "the connection was cut"),
        (ConnectionResetError("reset"), "the connection was cut (reset)"),
    ],
)
def test_a_cut_connection_is_told(folder: Path, error: Exception | None, told: str) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.lose(error)
        assert meeting.ends == [told]

    play(folder, scene)


def test_who_cuts_it_is_not_told(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.wire.cut()
        assert meeting.cable.aborted
        meeting.server.send(text("words"))
        meeting.arrive(meeting.server.outgoing.read())
        meeting.lose()
        assert (meeting.ends, meeting.heard) == ([], [])

    play(folder, scene)


def test_who_cuts_it_at_a_message_hears_no_further_one(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        heard: list[str] = []

        def hear(words: str) -> None:
            heard.append(words)
            wire.cut()

        wire = meeting.wire = Wire(meeting.target, PATH, on_text=hear, on_end=meeting.ends.append)
        await meeting.open()
        two = text("one").serialize(mask=False) + text("two").serialize(mask=False)
        meeting.server.tls.write(two)
        meeting.arrive(meeting.server.outgoing.read())
        assert heard == ["one"]

    play(folder, scene, opened=False)


def test_a_wire_that_was_never_opened_can_be_cut(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.wire.cut()
        assert meeting.ends == []

    play(folder, scene, opened=False)


def test_a_wire_that_was_never_opened_is_closed_at_once(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        async with asyncio.timeout(2):
            await meeting.wire.close(grace=60)
        assert meeting.ends == []

    play(folder, scene, opened=False)


def test_an_ended_connection_keeps_nobody_alive(folder: Path) -> None:
    class Listener:
        def hear(self, words: str) -> None: ...

    async def scene(meeting: Meeting) -> None:
        listener = Listener()
        meeting.wire = Wire(meeting.target, PATH, on_text=listener.hear, on_end=listener.hear)
        await meeting.open()
        meeting.lose()
        kept = weakref.ref(listener)
        del listener
        assert kept() is None

    play(folder, scene, opened=False)


# Closing.


async def closing(meeting: Meeting, **last: str) -> asyncio.Task[None]:
    task = asyncio.create_task(meeting.wire.close(grace=60, **last))
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("last", ["", "<close/>"])
def test_closing_says_the_last_words_and_waits_for_the_server(folder: Path, last: str) -> None:
    async def scene(meeting: Meeting) -> None:
        task = await (closing(meeting, last=last) if last else closing(meeting))
        meeting.wire.send("too late")
        meeting.exchange()
        words = [(Opcode.TEXT, last.encode())] if last else []
        assert meeting.server.frames == [*words, (Opcode.CLOSE, (1000).to_bytes(2))]
        assert not task.done() and not meeting.cable.aborted
        meeting.lose()
        async with asyncio.timeout(2):
            await task
        assert meeting.ends == [], "who closes it knows"

    play(folder, scene)


def test_a_server_that_does_not_answer_the_close_is_cut(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        async with asyncio.timeout(5):
            await meeting.wire.close(grace=0.01)
        assert meeting.cable.aborted
        meeting.lose()
        assert meeting.ends == []

    play(folder, scene)


def test_a_connection_that_has_ended_is_closed_at_once(folder: Path) -> None:
    async def scene(meeting: Meeting) -> None:
        meeting.lose()
        before = meeting.cable.sent
        async with asyncio.timeout(2):
            await meeting.wire.close(grace=60, last="<close/>")
        assert meeting.cable.sent == before

    play(folder, scene)


# Who waits for the upgrade.


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
