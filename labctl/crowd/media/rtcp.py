"""RTCP as bytes (RFC 3550, 4585): reports that a participant writes, feedback that it reads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, BYE = 200, 201, 202, 203
TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 205, 206
NACK, TRANSPORT_WIDE = 1, 15  # kinds of transport feedback
PLI, FIR = 1, 4  # kinds of payload feedback
MOST_BLOCKS = 31
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_BLOCK = Struct("!IIIIII")
_WORDS = Struct("!II")


@dataclass(frozen=True, slots=True)
class Block:
    """What a receiver reports of one source (RFC 3550, 6.4.1)."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class Part:
    """One packet of a compound: kind, format (or count), SSRC of its sender, and the rest."""

    kind: int
    format: int
    sender: int
    body: bytes

    @property
    def source(self) -> int:
        """Of feedback: the SSRC that it is about."""
        return int.from_bytes(self.body[:4])


def parse_compound(packet: bytes) -> Iterator[Part]:
    """The packets of a compound; what is malformed ends it."""
    at = 0
    while at + 8 <= len(packet):
        end = at + 4 + 4 * int.from_bytes(packet[at + 2 : at + 4])
        if packet[at] >> 6 != 2 or end > len(packet):
            return
        sender = int.from_bytes(packet[at + 4 : at + 8])
        yield Part(packet[at + 1], packet[at] & 0x1F, sender, packet[at + 8 : end])
        at = end


def ntp_now() -> int:
    """The wall clock as 32.32 fixed-point seconds since 1900."""
    return int((time.time() + _NTP_EPOCH) * (1 << 32))


def middle(ntp: int) -> int:
    """The middle 32 bits, as reports quote a time."""
    return ntp >> 16 & 0xFFFFFFFF


def render_sender_report(
    ssrc: int, *, ntp: int, timestamp: int, packets: int, octets: int, blocks: Sequence[Block] = ()
) -> bytes:
    info = b"".join(
        word.to_bytes(4) for word in (ntp >> 32, ntp & 0xFFFFFFFF, timestamp, packets, octets)
    )
    return _render(SENDER_REPORT, len(blocks), ssrc, info + _blocks(blocks))


def render_receiver_report(ssrc: int, blocks: Sequence[Block]) -> bytes:
    return _render(RECEIVER_REPORT, len(blocks), ssrc, _blocks(blocks))


def render_description(ssrc: int, name: str) -> bytes:
    """Who is who: the canonical name of a sender (RFC 3550, 6.5)."""
    chunk = bytes((1, len(name))) + name.encode() + b"\0"
    return _render(DESCRIPTION, 1, ssrc, chunk.ljust(-(-len(chunk) // 4) * 4, b"\0"))


def render_pli(sender: int, source: int) -> bytes:
    """'I need a whole picture' (RFC 4585, 6.3.1)."""
    return _render(PAYLOAD_FEEDBACK, PLI, sender, source.to_bytes(4))


def render_nack(sender: int, source: int, missing: Iterable[int]) -> bytes:
    """'Send these again' (RFC 4585, 6.2.1)."""
    pairs: list[tuple[int, int]] = []
    for number in missing:
        offset = (number - pairs[-1][0] & 0xFFFF) if pairs else 0
        if pairs and 0 < offset <= 16:
            pairs[-1] = (pairs[-1][0], pairs[-1][1] | 1 << offset - 1)
        else:
            pairs.append((number, 0))
    body = b"".join(first.to_bytes(2) + mask.to_bytes(2) for first, mask in pairs)
    return _render(TRANSPORT_FEEDBACK, NACK, sender, source.to_bytes(4) + body)


def parse_nack(part: Part) -> Iterator[int]:
    """The sequence numbers that somebody misses."""
    for at in range(4, len(part.body) - 3, 4):
        first = int.from_bytes(part.body[at : at + 2])
        mask = int.from_bytes(part.body[at + 2 : at + 4])
        yield first
        yield from ((first + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1)


def wanted_pictures(part: Part) -> Iterator[int]:
    """The SSRCs of which somebody wants a whole picture: by PLI or FIR (RFC 5104, 4.3.1)."""
    if part.kind != PAYLOAD_FEEDBACK:
        return
    if part.format == PLI:
        yield part.source
    elif part.format == FIR:
        for at in range(4, len(part.body) - 7, 8):
            yield int.from_bytes(part.body[at : at + 4])


def parse_blocks(part: Part) -> Iterator[Block]:
    """The report blocks of a sender or receiver report."""
    start = 20 if part.kind == SENDER_REPORT else 0
    for index in range(part.format):
        at = start + index * _BLOCK.size
        if at + _BLOCK.size > len(part.body):
            return
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(part.body, at)
        yield Block(ssrc, loss >> 24, loss & 0xFFFFFF, highest, jitter, last, delay)


def _blocks(blocks: Sequence[Block]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            one.ssrc,
            one.fraction << 24 | max(min(one.lost, 0x7FFFFF), 0),
            one.highest & 0xFFFFFFFF,
            one.jitter & 0xFFFFFFFF,
            one.last_report,
            one.delay & 0xFFFFFFFF,
        )
        for one in blocks[:MOST_BLOCKS]
    )


def _render(kind: int, count: int, ssrc: int, body: bytes) -> bytes:
    words = (len(body) + 8) // 4 - 1
    return _WORDS.pack((0x80 | count) << 24 | kind << 16 | words, ssrc) + body
