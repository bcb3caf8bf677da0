"""WebSocket over TLS for many participants in one loop: bytes in, text frames out.

The framing is the sans-I/O protocol of `websockets`; TLS is a memory BIO.  asyncio's own TLS
keeps a buffer of 256 KiB per connection and the stream APIs a task each; this keeps neither
(measured per login and core against real nginx and Prosody: aiohttp 376, websockets' own client
371, this 588, with uvloop 721; memory 297, 298 and 32 kB a participant).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from labctl.crowd.errors import CrowdError
from labctl.crowd.target import Target

READ_SIZE = 64 * 1024
MAX_FRAME = 4 * 1024 * 1024
_inbox = memoryview(bytearray(READ_SIZE))  # one loop reads one connection at a time: shared


class Wire(asyncio.BufferedProtocol):
    """One WebSocket with subprotocol `xmpp` (RFC 7395, 3.1)."""

    __slots__ = (
        "_closed", "_ended", "_handshaken", "_in", "_on_end", "_on_text", "_opened", "_out",
        "_parts", "_target", "_tls", "_transport", "_ws",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        path: str,
        *,
        on_text: Callable[[str], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._target = target
        self._on_text = on_text
        self._on_end = on_end
        self._ended = False
        self._parts: list[bytes] = []
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = target.context().wrap_bio(
            self._in, self._out, server_hostname=target.domain, session=target.session
        )
        self._handshaken = False
        self._ws = ClientProtocol(
            parse_uri(f"wss://{target.domain}{path}"),
            subprotocols=[Subprotocol("xmpp")],
            max_size=MAX_FRAME,
        )

    async def open(self) -> None:
        """Connect and upgrade; CrowdError says at which layer it failed."""
        loop = asyncio.get_running_loop()
        address, port = str(self._target.address), self._target.port
        try:
            await loop.create_connection(lambda: self, address, port)
        except OSError as error:
            reason = f"no TCP connection to {address}:{port}: {error.strerror or error}"
            self._ended = True
            raise CrowdError(f"{reason[0].upper()}{reason[1:]}.") from error
        await self._opened

    def send(self, text: str) -> None:
        """Send one frame; silently nothing on a connection that has ended."""
        if self._ended or self._ws.state is not State.OPEN:
            return
        self._ws.send_text(text.encode())
        self._flush()

    async def close(self, *, grace: float) -> None:
        """Close the WebSocket in order; after `grace` seconds cut it."""
        self._ended = True
        if self._ws.state is State.OPEN:
            self._ws.send_close(1000)
            self._flush()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._closed), grace)
        self.cut()

    def cut(self) -> None:
        """Drop the connection without a word."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._pump()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _inbox

    def buffer_updated(self, nbytes: int) -> None:
        self._in.write(_inbox[:nbytes])
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was cut ({exc})" if exc else "the connection was cut")
        if not self._closed.done():
            self._closed.set_result(None)

    # From bytes to frames.

    def _pump(self) -> None:
        try:
            if not self._handshaken and not self._shake_hands():
                return
            self._read()
        except ssl.SSLCertVerificationError as error:
            self._end(f"the certificate is not trusted: {error.verify_message}")
        except ssl.SSLError as error:
            self._end(f"TLS failed: {error.reason or error}")
        except WebSocketException as error:
            self._end(f"the WebSocket broke: {error}")

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._write()
            return False
        self._handshaken = True
        self._ws.send_request(self._ws.connect())
        self._flush()
        return True

    def _read(self) -> None:
        ended = False
        with suppress(ssl.SSLWantReadError):
            while data := self._tls.read(READ_SIZE):
                self._ws.receive_data(data)
            ended = True  # an empty read is TLS's own end
        if ended and self._ws.state is not State.CLOSED:
            self._ws.receive_eof()
        for event in self._ws.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif self._ws.handshake_exc is None:
                self._upgraded()
        self._flush()
        if self._ws.handshake_exc is not None:
            self._end(f"the WebSocket was refused: {self._ws.handshake_exc}")
        if self._ws.state in (State.CLOSING, State.CLOSED):
            self._end(self._why_closed())
        if self._ws.state is State.CLOSED and self._transport is not None:
            self._transport.close()  # both close frames have passed

    def _upgraded(self) -> None:
        if self._target.session is None:
            self._target.session = self._tls.session
        if not self._opened.done():
            self._opened.set_result(None)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._end("the server sent a binary frame")
            return
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        data, self._parts = b"".join(self._parts), []
        if self._ended:
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._end("the server sent a frame that is not UTF-8")
            return
        self._on_text(text)

    def _why_closed(self) -> str:
        if self._ws.parser_exc is not None and not isinstance(self._ws.parser_exc, EOFError):
            return f"the server broke the WebSocket protocol: {self._ws.parser_exc}"
        if self._ws.close_code in (None, 1006):
            return "the WebSocket was cut without a close frame"
        words = f" '{self._ws.close_reason}'" if self._ws.close_reason else ""
        return f"the server closed the WebSocket with code {self._ws.close_code}{words}"

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._tls.write(data)
        self._write()

    def _write(self) -> None:
        data = self._out.read()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, reason: str) -> None:
        """Report the end once; whoever still waits for the upgrade hears of it too."""
        if self._transport is not None:
            self._transport.close()
        if not self._opened.done():
            self._ended = True
            self._opened.set_exception(CrowdError(f"{reason[0].upper()}{reason[1:]}."))
        elif not self._ended:
            self._ended = True
            self._on_end(reason)
