"""WebSocket over TLS for many participants in one loop: bytes in, text frames out.

The framing is `labctl.crowd.websocket`, TLS a memory BIO.  asyncio's own TLS keeps a buffer of
256 KiB per connection and the stream APIs a task each; this keeps neither (measured against real
nginx and Prosody, memory per participant: aiohttp 297, websockets' client 298, this 32 kB or less).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from labctl.crowd.errors import CrowdError
from labctl.crowd.target import Target
from labctl.crowd.websocket import CUT, NO_CODE, WebSocket, WebSocketError

READ_SIZE = 64 * 1024
PIECE = 1024  # a memory BIO never shrinks: what it was given at once, it keeps
# One loop reads one connection at a time, so that all may share these.
_inbox = memoryview(bytearray(READ_SIZE))
_plain = memoryview(bytearray(READ_SIZE))


def _nobody(words: str) -> None:
    """Hear the words of a connection to which nobody listens any longer."""


class Wire(asyncio.BufferedProtocol):
    """One WebSocket, with subprotocol `xmpp` (RFC 7395, 3.1) unless told otherwise."""

    __slots__ = (
        "_closed", "_ended", "_handshaken", "_in", "_on_end", "_on_text", "_opened", "_out",
        "_path", "_port", "_target", "_tls", "_transport", "_ws",
    )  # fmt: skip

    def __init__(
        self,
        target: Target,
        path: str,
        *,
        on_text: Callable[[str], None],
        on_end: Callable[[str], None],
        protocol: str = "xmpp",
        port: int | None = None,
    ) -> None:
        self._target = target
        self._port = port or target.port
        self._on_text = on_text
        self._on_end = on_end
        self._ended = False
        self._path = path
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = target.context().wrap_bio(
            self._in, self._out, server_hostname=target.domain, session=target.session
        )
        self._handshaken = False
        self._ws = WebSocket(protocol)

    async def open(self) -> None:
        """Connect and upgrade; CrowdError says at which layer it failed."""
        loop = asyncio.get_running_loop()
        address, port = str(self._target.address), self._port
        try:
            await loop.create_connection(lambda: self, address, port)
        except OSError as error:
            reason = error.strerror or error
            raise CrowdError(f"No TCP connection to {address}:{port}: {reason}.") from error
        await self._opened

    def send(self, text: str) -> None:
        """Send one frame; silently nothing on a connection that has ended."""
        if not self._ended and self._ws.open:
            self._write(self._ws.text(text.encode()))

    async def close(self, *, grace: float, last: str = "") -> None:
        """Close the WebSocket in order, after a `last` frame; after `grace` seconds cut it."""
        if not self._ended and self._ws.open:
            farewell = self._ws.text(last.encode()) if last else b""
            self._write(farewell + self._ws.close())
            self._ended = True
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
        for start in range(0, nbytes, PIECE):
            self._in.write(_inbox[start : min(start + PIECE, nbytes)])
            self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was cut ({exc})" if exc else "the connection was cut")
        if not self._closed.done():
            self._closed.set_result(None)
        # Without this circle the memory is free at once, TLS's tens of kB with it.
        self._on_text = self._on_end = _nobody
        self._transport = None

    # From bytes to frames.

    def _pump(self) -> None:
        try:
            if not self._handshaken:
                self._shake_hands()
            if self._handshaken:
                self._read()
        except ssl.SSLCertVerificationError as error:
            self._end(f"the certificate is not trusted: {error.verify_message}")
        except ssl.SSLError as error:
            self._end(f"TLS failed: {error.reason or error}")
        except WebSocketError as error:
            self._break(str(error))

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._write()
            return
        self._handshaken = True
        self._write(self._ws.request(self._target.domain, self._path))

    def _read(self) -> None:
        while True:
            try:
                size = cast(int, self._tls.read(READ_SIZE, _plain))  # typed as bytes
            except ssl.SSLWantReadError:
                break
            if size == 0:  # TLS's own end
                self._end("the WebSocket was cut without a close frame")
                return
            self._take(bytes(_plain[:size]))
            if not self._in.pending:  # a whole record fits into READ_SIZE
                break  # asking once more costs an exception
        self._answer()

    def _take(self, data: bytes) -> None:
        for message in self._ws.receive(data):
            if self._ended:
                return
            try:
                text = message.decode()
            except UnicodeDecodeError:
                self._end("the server sent a frame that is not UTF-8")
                return
            self._on_text(text)
        if self._ws.open and not self._opened.done():
            if self._target.session is None:
                self._target.session = self._tls.session
            self._opened.set_result(None)

    def _answer(self) -> None:
        """Pongs, and what follows from a close frame."""
        self._write(b"".join(self._ws.out))  # TLS may have something to say as well
        self._ws.out.clear()
        if self._ws.close_code is not None:
            self._end(self._why_closed())  # both close frames have passed

    def _break(self, reason: str) -> None:
        if self._opened.done():
            self._end(f"the server broke the WebSocket protocol: {reason}")
        else:
            self._end(f"the WebSocket was refused: {reason}")

    def _why_closed(self) -> str:
        code = self._ws.close_code
        if code in (NO_CODE, CUT):
            return "the server closed the WebSocket without a code"
        words = f" '{self._ws.close_reason}'" if self._ws.close_reason else ""
        return f"the server closed the WebSocket with code {code}{words}"

    def _write(self, plain: bytes = b"") -> None:
        """Send what TLS has to say, and `plain` through it."""
        parts = [self._out.read()] if self._out.pending else []
        for start in range(0, len(plain), PIECE):
            self._tls.write(plain[start : start + PIECE])
            parts.append(self._out.read())
        if parts and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(parts))

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
