"""The server's end of a WebSocket over TLS in memory: no network, and bytes cut as we like."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from labctl.crowd import Target
from labctl.crowd.target import HTTPS_PORT
from labctl.crowd.wire import READ_SIZE, Wire
from tests.crowd.fakexmpp import DOMAIN, write_certificates

PATH = "/xmpp-websocket?room=r"


class Cable(asyncio.Transport):
    """Between a wire and its server; what the server has not read yet is `sent`."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.writes = 0
        self.closing = self.aborted = False

    def write(self, data: Any) -> None:
        assert not self.closing, "nothing is written to a connection that is being closed"
        self.sent += data
        self.writes += 1

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Server:
    """The server's ends of TLS and WebSocket."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.ws = ServerProtocol(subprotocols=[Subprotocol("xmpp")])
        self.request: Request | None = None
        self.frames: list[tuple[Opcode, bytes]] = []

    def take(self, data: bytes) -> None:
        """Read what the client has sent, and accept its request."""
        self.incoming.write(data)
        try:
            self.tls.do_handshake()
            while plain := self.tls.read(READ_SIZE):
                self.ws.receive_data(plain)
        except ssl.SSLWantReadError:
            pass
        for event in self.ws.events_received():
            if isinstance(event, Request):
                self.request = event
                self.ws.send_response(self.ws.accept(event))
            elif isinstance(event, Frame):
                self.frames.append((event.opcode, bytes(event.data)))
        for answer in self.ws.data_to_send():
            if answer:
                self.tls.write(answer)

    def hang_up(self) -> None:
        """End TLS, without a word of the WebSocket."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()

    def send(self, *frames: Frame) -> None:
        """Send frames, each in a TLS record of its own."""
        for frame in frames:
            self.tls.write(frame.serialize(mask=False))


def text(words: str | bytes) -> Frame:
    return Frame(Opcode.TEXT, words.encode() if isinstance(words, str) else words)


@cache
def certificates(folder: Path) -> tuple[Path, Path]:
    return write_certificates(folder)


@dataclass
class Meeting:
    """A wire, its server, and what was heard of them."""

    target: Target
    context: ssl.SSLContext
    protocol: str = "xmpp"
    cable: Cable = field(default_factory=Cable)
    heard: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = Server(self.context)
        self.wire = Wire(
            self.target, PATH, on_text=self.hear, on_end=self.ends.append, protocol=self.protocol
        )

    def hear(self, words: str) -> None:
        self.heard.append(words)

    def arrive(self, data: bytes, *, at_once: int = READ_SIZE) -> None:
        """Bytes come from the network."""
        for start in range(0, len(data), at_once):
            piece = data[start : start + at_once]
            self.wire.get_buffer(-1)[: len(piece)] = piece
            self.wire.buffer_updated(len(piece))

    def exchange(self, *, at_once: int = READ_SIZE) -> None:
        """Carry bytes both ways until nobody has any."""
        while self.cable.sent or self.server.outgoing.pending:
            sent, self.cable.sent = self.cable.sent, b""
            if sent:
                self.server.take(sent)
            self.arrive(self.server.outgoing.read(), at_once=at_once)

    async def open(self, *, port: int = HTTPS_PORT, fails: OSError | None = None) -> None:
        """Open the wire, and let the server answer."""
        opening = asyncio.ensure_future(self.opening(port=port, fails=fails))
        await asyncio.sleep(0)
        self.exchange()
        await opening

    async def opening(self, *, port: int = HTTPS_PORT, fails: OSError | None = None) -> None:
        """Open the wire by a loop that has but this cable, and no TCP if it `fails`."""
        loop = asyncio.get_running_loop()

        async def create_connection(made: Callable[[], Wire], *where: object) -> None:
            assert where == ("127.0.0.1", port)
            if fails is not None:
                raise fails
            made().connection_made(self.cable)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "create_connection", create_connection)
            await self.wire.open()

    def lose(self, error: Exception | None = None) -> None:
        self.cable.closing = True
        self.wire.connection_lost(error)


def play(
    folder: Path,
    scene: Callable[[Meeting], Awaitable[None]],
    *,
    opened: bool = True,
    protocol: str = "xmpp",
) -> None:
    """Run a scene of a meeting, whose wire is open by default; `folder` keeps certificates."""
    ca_file, pem = certificates(folder)

    async def main() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
        target = Target(IPv4Address("127.0.0.1"), HTTPS_PORT, DOMAIN, ca_file, prove=lambda _: None)
        async with asyncio.timeout(10):
            meeting = Meeting(target, context, protocol)
            if opened:
                await meeting.open()
            await scene(meeting)

    asyncio.run(main())
