"""Reading and writing RTCP; pure.

RFC 3550, RFC 4585, RFC 5104, REMB and transport-wide feedback.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SR, RR, SDES, BYE, RTPFB, PSFB = 200, 201, 202, 203, 205, 206
NACK, TRANSPORT_CC = 1, 15
PLI, FIR, APPLICATION = 1, 4, 15
NTP_EPOCH = 2208988800


@dataclass(frozen=True, slots=True)
class Rtcp:
    """One packet of a compound; `sender` is the SSRC in its second word."""

    kind: int
    count: int
    sender: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about one source."""

    ssrc: int
    lost_fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay: int

    def render(self) -> bytes:
        """The 24 bytes of the block."""
        lost = max(-0x800000, min(0x7FFFFF, self.lost)) & 0xFFFFFF
        return struct.pack(
            "!IIIIII", self.ssrc, self.lost_fraction << 24 | lost, self.highest,
            self.jitter, self.last_sr, self.delay,
        )  # fmt: skip


def parse_rtcp(data: bytes) -> Iterator[Rtcp]:
    """The packets of a compound, as far as they are whole."""
    at = 0
    while at + 8 <= len(data):
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data) or words < 1:
            return
        yield Rtcp(kind, first & 31, struct.unpack_from("!I", data, at + 4)[0], data[at:end])
        at = end


def _render(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def media_ssrc(packet: Rtcp) -> int:
    """Which source a feedback packet is about; 0 where it says so inside or not at all."""
    return int(struct.unpack_from("!I", packet.data, 8)[0]) if len(packet.data) >= 12 else 0


def render_pli(sender: int, media: int) -> bytes:
    """Ask for a key frame."""
    return _render(PSFB, PLI, struct.pack("!II", sender, media))


def fir_targets(packet: Rtcp) -> list[int]:
    """The sources that a FIR asks a key frame of."""
    return [
        struct.unpack_from("!I", packet.data, at)[0] for at in range(12, len(packet.data) - 7, 8)
    ]


def render_nack(sender: int, media: int, lost: Sequence[int]) -> bytes:
    """Ask for packets again."""
    items: list[list[int]] = []
    for sequence in lost:
        distance = (sequence - items[-1][0]) & 0xFFFF if items else 0
        if items and 0 < distance <= 16:
            items[-1][1] |= 1 << (distance - 1)
        else:
            items.append([sequence & 0xFFFF, 0])
    body = b"".join(struct.pack("!HH", first, mask) for first, mask in items)
    return _render(RTPFB, NACK, struct.pack("!II", sender, media) + body)


def parse_nack(packet: Rtcp) -> list[int]:
    """The sequence numbers that are asked for."""
    found: list[int] = []
    for at in range(12, len(packet.data) - 3, 4):
        first, mask = struct.unpack_from("!HH", packet.data, at)
        found.append(first)
        found += [(first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1]
    return found


def render_rr(sender: int, blocks: Sequence[ReportBlock]) -> bytes:
    """A receiver report."""
    body = struct.pack("!I", sender) + b"".join(block.render() for block in blocks[:31])
    return _render(RR, min(31, len(blocks)), body)


def render_sr_alone(packet: Rtcp) -> bytes:
    """A sender report without its report blocks, which were meant for the bridge."""
    return _render(SR, 0, packet.data[4:28])


def sr_middle(packet: Rtcp) -> int:
    """The middle 32 bits of a sender report's NTP time, as report blocks repeat them."""
    return int(struct.unpack_from("!I", packet.data, 10)[0])


def render_remb(sender: int, bits: int, ssrcs: Sequence[int]) -> bytes:
    """The receiver's estimate (draft-alvestrand-rmcat-remb), bits a second."""
    exponent = max(0, bits.bit_length() - 18)
    word = len(ssrcs) << 24 | exponent << 18 | bits >> exponent
    body = struct.pack("!II4sI", sender, 0, b"REMB", word)
    return _render(PSFB, APPLICATION, body + b"".join(struct.pack("!I", one) for one in ssrcs))


def render_sdes(sender: int, name: str) -> bytes:
    """A source description with a CNAME."""
    text = name.encode()
    chunk = struct.pack("!IBB", sender, 1, len(text)) + text + b"\0"
    return _render(SDES, 1, chunk + b"\0" * (-len(chunk) % 4))


def render_transport_cc(
    sender: int, media: int, count: int, arrivals: Sequence[tuple[int, float]]
) -> bytes:
    """Arrival times by transport-wide sequence number, ascending and not more than 8192 apart.

    draft-holmer-rmcat-transport-wide-cc-extensions-01: reference time in 64 ms, deltas in 250 us.
    """
    first = arrivals[0][0]
    reference = int(arrivals[0][1] / 0.064)
    last = reference * 256  # in units of 250 us
    times = dict(arrivals)
    symbols: list[int] = []
    deltas = b""
    for number in range(first, arrivals[-1][0] + 1):
        seconds = times.get(number)
        if seconds is None:
            symbols.append(0)
            continue
        delta = int(seconds * 4000) - last
        last += delta
        if 0 <= delta <= 255:
            symbols.append(1)
            deltas += struct.pack("!B", delta)
        else:
            symbols.append(2)
            deltas += struct.pack("!h", max(-32768, min(32767, delta)))
    chunks = b"".join(
        struct.pack("!H", _status_vector(symbols[at : at + 7])) for at in range(0, len(symbols), 7)
    )
    body = struct.pack("!IIHH", sender, media, first & 0xFFFF, len(symbols))
    body += struct.pack("!I", (reference & 0xFFFFFF) << 8 | count & 0xFF) + chunks + deltas
    padding = -len(body) % 4
    if padding:
        body += b"\0" * (padding - 1) + bytes([padding])
    packet = bytearray(_render(RTPFB, TRANSPORT_CC, body))
    if padding:
        packet[0] |= 0x20
    return bytes(packet)


def _status_vector(symbols: Sequence[int]) -> int:
    """A chunk of seven two-bit symbols."""
    word = 0b11 << 14
    for index, symbol in enumerate(symbols):
        word |= symbol << (12 - 2 * index)
    return word


def ntp_now() -> float:
    """Seconds since 1900."""
    return time.time() + NTP_EPOCH
