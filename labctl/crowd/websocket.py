"""WebSocket as a client speaks it (RFC 6455), without any I/O: bytes in, messages and bytes out.

Only what XMPP (RFC 7395) and a bridge channel need: text messages, no extensions.  A crowd of
thousands is why it is not a general implementation: see benchmarks/README.md.
"""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha1

MAX_HEAD = 16 * 1024
MAX_MESSAGE = 4 * 1024 * 1024
NO_CODE, CUT = 1005, 1006  # RFC 6455, 7.4.1: codes that are never sent
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_FIN = _MASKED = 0x80


class WebSocketError(ValueError):
    """The server broke the protocol, or refused the upgrade."""


class WebSocket:
    """One connection.  `open` while messages may be sent; `close_code` is the server's.

    `protocol` is the subprotocol that is asked for and has to be granted; '' for none.
    """

    __slots__ = (
        "_buffer", "_key", "_parts", "_protocol", "_size", "close_code", "close_reason", "open",
        "out",
    )  # fmt: skip

    def __init__(self, protocol: str = "xmpp") -> None:
        self._protocol = protocol
        self._buffer = b""
        self._key: bytes | None = None
        self._parts: list[bytes] | None = None
        self._size = 0
        self.open = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.out: list[bytes] = []
        """What has to be sent in answer: pongs and the close frame."""

    def request(self, host: str, path: str) -> bytes:
        """The upgrade request (RFC 6455, 4.1)."""
        key = b64encode(os.urandom(16))
        self._key = key
        wanted = f"Sec-WebSocket-Protocol: {self._protocol}\r\n" if self._protocol else ""
        return (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"{wanted}\r\n"
        ).encode()

    def receive(self, data: bytes) -> list[bytes]:
        """Complete text messages in what came; WebSocketError where it cannot be understood."""
        self._buffer += data
        if self._key is not None and not self._upgrade(self._key):
            return []
        messages: list[bytes] = []
        while self.close_code is None and (frame := self._next_frame()) is not None:
            self._take(*frame, messages)
        return messages

    def text(self, message: bytes) -> bytes:
        """A message as a frame."""
        return _frame(_TEXT, message)

    def close(self, code: int = 1000) -> bytes:
        """The close frame; nothing may be sent after it."""
        self.open = False
        return _frame(_CLOSE, code.to_bytes(2))

    def _upgrade(self, key: bytes) -> bool:
        """Read the answer to the request; False while there is more of it to come."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            if len(head) > MAX_HEAD:
                raise WebSocketError("the answer to the upgrade has no end")
            return False
        _check_upgrade(head, key, self._protocol)
        self._buffer, self._key, self.open = rest, None, True
        return True

    def _next_frame(self) -> tuple[int, bool, bytes] | None:
        """Opcode, whether it is the last of its message, payload (RFC 6455, 5.2)."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        first, size = buffer[0], buffer[1]
        if first & 0x70 or size & _MASKED:
            raise WebSocketError("a frame has bits that were not negotiated")
        start = 2
        if size > 125:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start])
        if size + self._size > MAX_MESSAGE:
            raise WebSocketError(f"a message is larger than {MAX_MESSAGE} bytes")
        end = start + size
        if len(buffer) < end:
            return None
        self._buffer = buffer[end:]
        return first & 0x0F, bool(first & _FIN), buffer[start:end]

    def _take(self, opcode: int, last: bool, payload: bytes, messages: list[bytes]) -> None:
        if opcode == _TEXT and last and self._parts is None:
            messages.append(payload)
        elif opcode in (_TEXT, _CONTINUATION):
            self._collect(opcode, last, payload, messages)
        elif opcode == _BINARY:
            raise WebSocketError("it sent a binary frame")
        elif opcode not in (_CLOSE, _PING, _PONG) or not last or len(payload) > 125:
            raise WebSocketError(f"it sent a frame of unknown kind {opcode}")
        elif opcode == _CLOSE:
            self._on_close(payload)
        elif opcode == _PING and self.open:
            self.out.append(_frame(_PONG, payload))

    def _collect(self, opcode: int, last: bool, payload: bytes, messages: list[bytes]) -> None:
        """A message in several frames."""
        if (opcode == _TEXT) is (self._parts is not None):
            raise WebSocketError("its frames do not make up a message")
        parts = self._parts = [] if self._parts is None else self._parts
        parts.append(payload)
        self._size += len(payload)
        if last:
            messages.append(b"".join(parts))
            self._parts, self._size = None, 0

    def _on_close(self, payload: bytes) -> None:
        self.close_code = int.from_bytes(payload[:2]) if len(payload) >= 2 else NO_CODE
        self.close_reason = payload[2:].decode(errors="replace")
        if self.open:
            self.out.append(self.close(1000))


def _check_upgrade(head: bytes, key: bytes, protocol: str) -> None:
    """WebSocketError unless this is the answer of RFC 6455, 4.2.2 to `key`."""
    status, *lines = head.decode("latin-1").split("\r\n")
    words = status.split()
    if len(words) < 2 or not words[0].startswith("HTTP/1.1"):
        raise WebSocketError(f"this is not HTTP/1.1: {status[:60]!r}")
    if words[1] != "101":
        raise WebSocketError(f"the server answered HTTP {words[1]}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    digest = sha1(key + _GUID, usedforsecurity=False).digest()
    for name, value in (
        ("upgrade", "websocket"),
        ("sec-websocket-accept", b64encode(digest).decode()),
        ("sec-websocket-protocol", protocol),
    ):
        found = headers.get(name, "")
        if (found.lower() if name == "upgrade" else found) != value:
            raise WebSocketError(f"its '{name}' is '{found}'")


def _frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame, as a client has to send it (RFC 6455, 5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((_FIN | opcode, _MASKED | size))
    elif size < 65536:
        head = bytes((_FIN | opcode, _MASKED | 126)) + size.to_bytes(2)
    else:
        head = bytes((_FIN | opcode, _MASKED | 127)) + size.to_bytes(8)
    mask = os.urandom(4)
    stream = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload) ^ int.from_bytes(stream)  # far faster than byte by byte
    return head + mask + masked.to_bytes(size)
