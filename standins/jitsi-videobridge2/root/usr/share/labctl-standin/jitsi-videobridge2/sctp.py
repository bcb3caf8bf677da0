"""One SCTP association over DTLS (RFC 9260, RFC 8261): reliable, ordered messages on streams.

What data channels on a lab's network need: no multihoming, no partial reliability of our own
(a peer's FORWARD-TSN is obeyed), a small window instead of fine congestion control.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sctpwire import (
    ABORT,
    BEGIN,
    COOKIE_ACK,
    COOKIE_ECHO,
    COOKIE_PARAMETER,
    DATA,
    END,
    FORWARD_TSN,
    FORWARD_TSN_SUPPORTED,
    HEARTBEAT,
    HEARTBEAT_ACK,
    INIT,
    INIT_ACK,
    SACK,
    SHUTDOWN,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    SUPPORTED_EXTENSIONS,
    UNORDERED,
    Chunk,
    Data,
    after,
    parse_data,
    parse_packet,
    parse_parameters,
    parse_sack,
    render_packet,
    render_parameter,
    render_sack,
)  # fmt: skip

PORT = 5000
STREAMS = 1024
WINDOW = 256 * 1024
FRAGMENT = 1100
IN_FLIGHT = 32
FIRST_RTO, LAST_RTO, TRIES = 0.5, 8.0, 10


@dataclass(slots=True)
class Association:
    """Messages to and from one peer.  The server waits, the client begins."""

    send_packet: Callable[[bytes], None]
    on_message: Callable[[int, int, bytes], None]
    on_open: Callable[[], None] = lambda: None
    on_closed: Callable[[], None] = lambda: None
    open: bool = False
    closed: bool = False
    _tag: int = field(default_factory=lambda: secrets.randbelow(2**32 - 1) + 1)
    _peer_tag: int = 0
    _next_tsn: int = field(default_factory=lambda: secrets.randbits(32))
    _cumulative: int = 0
    _cookie: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _ahead: dict[int, Data] = field(default_factory=dict)
    _parts: dict[tuple[int, bool], list[Data]] = field(default_factory=dict)
    _sequences: dict[int, int] = field(default_factory=dict)
    _queue: deque[Data] = field(default_factory=deque)
    _flight: dict[int, Data] = field(default_factory=dict)
    _handshake: Chunk | None = None
    _timer: asyncio.TimerHandle | None = None
    _rto: float = FIRST_RTO
    _tries: int = 0

    # -- opening -------------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin, as the client."""
        self._handshake = Chunk(INIT, 0, self._init_body())
        self._send(self._handshake, tag=0)
        self._restart_timer()

    def _init_body(self) -> bytes:
        head = struct.pack("!IIHHI", self._tag, WINDOW, STREAMS, STREAMS, self._next_tsn)
        return (
            head
            + render_parameter(FORWARD_TSN_SUPPORTED, b"")
            + render_parameter(SUPPORTED_EXTENSIONS, bytes([FORWARD_TSN]))
        )

    def _peer_init(self, chunk: Chunk) -> None:
        self._peer_tag, _, _, _, first = struct.unpack_from("!IIHHI", chunk.body)
        if not self.open:
            self._cumulative = (first - 1) & 0xFFFFFFFF

    def _opened(self) -> None:
        if not self.open:
            self.open = True
            self._handshake = None
            self._stop_timer()
            self.on_open()
            self._pump()

    # -- receiving -----------------------------------------------------------------------------

    def receive(self, packet: bytes) -> None:
        """One packet of the peer's; what is malformed is dropped."""
        parsed = parse_packet(packet, PORT)
        if parsed is None or self.closed:
            return
        tag, chunks = parsed
        if tag != self._tag and not (chunks and chunks[0].kind == INIT and tag == 0):
            return
        got_data = False
        try:
            for chunk in chunks:
                got_data |= chunk.kind in (DATA, FORWARD_TSN)
                self._act(chunk)
        except struct.error:
            return
        if got_data and not self.closed:
            self._send(render_sack(self._cumulative, WINDOW, self._ahead))

    def _act(self, chunk: Chunk) -> None:
        if chunk.kind == DATA:
            self._data(parse_data(chunk))
        elif chunk.kind == SACK:
            self._sacked(chunk)
        elif chunk.kind == FORWARD_TSN:
            self._skip(struct.unpack_from("!I", chunk.body)[0])
        elif chunk.kind == HEARTBEAT:
            self._send(Chunk(HEARTBEAT_ACK, 0, chunk.body))
        elif chunk.kind in (INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK):
            self._shake(chunk)
        elif chunk.kind == SHUTDOWN:
            self._send(Chunk(SHUTDOWN_ACK, 0, b""))
        elif chunk.kind in (ABORT, SHUTDOWN_COMPLETE):
            self._end()

    def _shake(self, chunk: Chunk) -> None:
        if chunk.kind == INIT:
            self._peer_init(chunk)
            body = self._init_body() + render_parameter(COOKIE_PARAMETER, self._cookie)
            self._send(Chunk(INIT_ACK, 0, body))
        elif chunk.kind == INIT_ACK and not self.open:
            self._peer_init(chunk)
            cookie = parse_parameters(chunk.body[16:]).get(COOKIE_PARAMETER, b"")
            self._handshake = Chunk(COOKIE_ECHO, 0, cookie)
            self._send(self._handshake)
            self._restart_timer()
        elif chunk.kind == COOKIE_ECHO and chunk.body == self._cookie:
            self._send(Chunk(COOKIE_ACK, 0, b""))
            self._opened()
        elif chunk.kind == COOKIE_ACK and self._handshake is not None:
            self._opened()

    def _data(self, data: Data) -> None:
        if not after(data.tsn, self._cumulative) or data.tsn in self._ahead:
            return  # a duplicate
        self._ahead[data.tsn] = data
        self._advance()

    def _skip(self, tsn: int) -> None:
        """The peer gives up on everything up to `tsn`."""
        if after(tsn, self._cumulative):
            for old in [one for one in self._ahead if not after(one, tsn)]:
                del self._ahead[old]
            self._parts.clear()
            self._cumulative = tsn
            self._advance()

    def _advance(self) -> None:
        while (data := self._ahead.pop((self._cumulative + 1) & 0xFFFFFFFF, None)) is not None:
            self._cumulative = data.tsn
            self._assemble(data)

    def _assemble(self, data: Data) -> None:
        """TSNs are in order here, and so are fragments and messages of a stream."""
        key = (data.stream, bool(data.flags & UNORDERED))
        if data.flags & BEGIN:
            self._parts[key] = []
        if key not in self._parts:
            return  # its beginning was given up
        self._parts[key].append(data)
        if data.flags & END:
            parts = self._parts.pop(key)
            whole = b"".join(part.payload for part in parts)
            self.on_message(data.stream, data.protocol, whole)

    # -- sending -------------------------------------------------------------------------------

    def send(self, stream: int, protocol: int, message: bytes) -> None:
        """Queue a message."""
        sequence = self._sequences.get(stream, 0)
        self._sequences[stream] = (sequence + 1) & 0xFFFF
        starts = range(0, len(message), FRAGMENT)
        for at in starts:
            flags = (BEGIN if at == 0 else 0) | (END if at == starts[-1] else 0)
            part = message[at : at + FRAGMENT]
            self._queue.append(Data(self._next_tsn, stream, sequence, protocol, flags, part))
            self._next_tsn = (self._next_tsn + 1) & 0xFFFFFFFF
        self._pump()

    def _pump(self) -> None:
        if not self.open or self.closed:
            return
        idle = not self._flight
        while self._queue and len(self._flight) < IN_FLIGHT:
            data = self._queue.popleft()
            self._flight[data.tsn] = data
            self._send(data.render())
        if idle and self._flight:
            self._restart_timer()

    def _sacked(self, chunk: Chunk) -> None:
        cumulative, _, arrived = parse_sack(chunk)
        gone = [tsn for tsn in self._flight if not after(tsn, cumulative) or tsn in arrived]
        for tsn in gone:
            del self._flight[tsn]
        if gone:
            self._rto, self._tries = FIRST_RTO, 0
            self._stop_timer()
            if self._flight:
                self._restart_timer()
        self._pump()

    def _send(self, *chunks: Chunk, tag: int | None = None) -> None:
        self.send_packet(render_packet(self._peer_tag if tag is None else tag, chunks, PORT))

    # -- time ----------------------------------------------------------------------------------

    def _restart_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._rto, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._tries += 1
        if self._tries > TRIES:
            self._end()
            return
        self._rto = min(LAST_RTO, self._rto * 2)
        if self._handshake is not None:
            self._send(self._handshake, tag=0 if self._handshake.kind == INIT else None)
        for data in list(self._flight.values())[:4]:
            self._send(data.render())
        self._restart_timer()

    def close(self) -> None:
        """Tell the peer that it is over."""
        if self.open and not self.closed:
            self._send(Chunk(ABORT, 0, b""))
        self._end()

    def _end(self) -> None:
        self._stop_timer()
        if not self.closed:
            self.closed, self.open = True, False
            self.on_closed()
