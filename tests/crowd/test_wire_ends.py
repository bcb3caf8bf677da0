"""A WebSocket over TLS, its other end in memory: how it ends, and who is told."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from labctl.crowd.wire import Wire
from tests.crowd.wiring import PATH, Meeting, play, text


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
