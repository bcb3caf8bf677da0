"""SCTP packets and chunks (RFC 9260), as far as data channels need them; pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT = 0, 1, 2, 3, 4, 5, 6
SHUTDOWN, SHUTDOWN_ACK, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 7, 8, 10, 11, 14
RE_CONFIG, FORWARD_TSN = 130, 192
COOKIE_PARAMETER, FORWARD_TSN_SUPPORTED, SUPPORTED_EXTENSIONS = 7, 0xC000, 0x8008
BEGIN, END, UNORDERED = 2, 1, 4


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_table = _crc_table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 9260, appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk without its header."""

    kind: int
    flags: int
    body: bytes

    def render(self) -> bytes:
        """With header and padding."""
        length = len(self.body) + 4
        return (
            struct.pack("!BBH", self.kind, self.flags, length) + self.body + b"\0" * (-length % 4)
        )


@dataclass(frozen=True, slots=True)
class Data:
    """The contents of a DATA chunk."""

    tsn: int
    stream: int
    sequence: int
    protocol: int
    flags: int
    payload: bytes

    def render(self) -> Chunk:
        """As a chunk."""
        head = struct.pack("!IHHI", self.tsn, self.stream, self.sequence, self.protocol)
        return Chunk(DATA, self.flags, head + self.payload)


def parse_data(chunk: Chunk) -> Data:
    """The contents of a DATA chunk; raises struct.error for one that is cut off."""
    tsn, stream, sequence, protocol = struct.unpack_from("!IHHI", chunk.body)
    return Data(tsn, stream, sequence, protocol, chunk.flags, chunk.body[12:])


def parse_packet(data: bytes, port: int) -> tuple[int, list[Chunk]] | None:
    """Verification tag and chunks, None where the packet is damaged or for another port."""
    if len(data) < 16:
        return None
    _, destination, tag, checksum = struct.unpack_from("!HHII", data)
    bare = data[:8] + b"\0\0\0\0" + data[12:]
    if destination != port or checksum != int.from_bytes(struct.pack("<I", crc32c(bare)), "big"):
        return None
    return tag, list(_chunks(data, 12))


def _chunks(data: bytes, at: int) -> Iterator[Chunk]:
    while at + 4 <= len(data):
        kind, flags, length = struct.unpack_from("!BBH", data, at)
        if length < 4 or at + length > len(data):
            return
        yield Chunk(kind, flags, data[at + 4 : at + length])
        at += length + (-length % 4)


def render_packet(tag: int, chunks: Iterable[Chunk], port: int) -> bytes:
    """A packet from `port` to the peer's same one."""
    body = b"".join(chunk.render() for chunk in chunks)
    head = struct.pack("!HHI", port, port, tag)
    return head + struct.pack("<I", crc32c(head + b"\0\0\0\0" + body)) + body


def parse_parameters(data: bytes) -> dict[int, bytes]:
    """Parameters by type (INIT, INIT ACK)."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        if length < 4:
            break
        found[kind] = data[at + 4 : at + length]
        at += length + (-length % 4)
    return found


def render_parameter(kind: int, value: bytes) -> bytes:
    """One parameter, padded."""
    length = len(value) + 4
    return struct.pack("!HH", kind, length) + value + b"\0" * (-length % 4)


def after(a: int, b: int) -> bool:
    """Whether TSN `a` comes after `b`."""
    return a != b and (a - b) & 0xFFFFFFFF < 0x80000000


def render_sack(cumulative: int, window: int, ahead: Iterable[int]) -> Chunk:
    """A SACK; `ahead` are TSNs that came out of order."""
    blocks: list[list[int]] = []
    for offset in sorted((tsn - cumulative) & 0xFFFFFFFF for tsn in ahead):
        if blocks and offset == blocks[-1][1] + 1:
            blocks[-1][1] = offset
        elif offset < 0x10000:
            blocks.append([offset, offset])
    body = struct.pack("!IIHH", cumulative, window, len(blocks), 0)
    return Chunk(SACK, 0, body + b"".join(struct.pack("!HH", *block) for block in blocks))


def parse_sack(chunk: Chunk) -> tuple[int, int, set[int]]:
    """Cumulative TSN, window, and the TSNs beyond that have arrived."""
    cumulative, window, count, _ = struct.unpack_from("!IIHH", chunk.body)
    arrived: set[int] = set()
    for at in range(12, min(len(chunk.body), 12 + 4 * count) - 3, 4):
        first, last = struct.unpack_from("!HH", chunk.body, at)
        arrived |= {(cumulative + offset) & 0xFFFFFFFF for offset in range(first, last + 1)}
    return cumulative, window, arrived
