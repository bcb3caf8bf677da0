"""Reading and changing RTP packets (RFC 3550) and their header extensions (RFC 8285); pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
DEPENDENCY_URI = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)
TRANSPORT_CC_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ONE_BYTE, TWO_BYTE = 0xBEDE, 0x100
SILENCE = 127

_head = struct.Struct("!BBHII")
_sequence = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Rtp:
    """A packet, parsed as far as forwarding needs it; `extensions` are offset and length by id.

    The head of each extension has `extension_head` bytes.
    """

    data: bytes
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    extensions: dict[int, tuple[int, int]]
    payload_at: int
    extension_head: int = 1

    @property
    def payload(self) -> bytes:
        """The payload without padding."""
        end = len(self.data)
        if self.data[0] & 0x20:
            end = max(self.payload_at, end - self.data[-1])
        return self.data[self.payload_at : end]

    def extension(self, id: int | None) -> bytes | None:
        """An extension's value."""
        found = self.extensions.get(id) if id is not None else None
        return None if found is None else self.data[found[0] : found[0] + found[1]]


def parse_rtp(data: bytes) -> Rtp | None:
    """The packet in `data`, None where it is none."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = _head.unpack_from(data)
    at = 12 + 4 * (first & 15)
    extensions: dict[int, tuple[int, int]] = {}
    head = 1
    if first & 0x10:
        if len(data) < at + 4:
            return None
        profile, words = struct.unpack_from("!HH", data, at)
        end = at + 4 + 4 * words
        if len(data) < end:
            return None
        if profile == ONE_BYTE:
            extensions = dict(_one_byte(data, at + 4, end))
        elif profile & 0xFFF0 == 0x1000:
            head = 2
            extensions = dict(_two_byte(data, at + 4, end))
        at = end
    if at > len(data):
        return None
    return Rtp(
        data, second & 127, bool(second & 128), sequence, timestamp, ssrc, extensions, at, head
    )


def _one_byte(data: bytes, at: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    while at < end:
        head = data[at]
        if head == 0:
            at += 1
            continue
        id, length = head >> 4, (head & 15) + 1
        if id == 15 or at + 1 + length > end:
            return
        yield id, (at + 1, length)
        at += 1 + length


def _two_byte(data: bytes, at: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    while at < end:
        id = data[at]
        if id == 0:
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            return
        yield id, (at + 2, data[at + 1])
        at += 2 + data[at + 1]


def keep_extensions(packet: Rtp, kept: frozenset[int]) -> Rtp:
    """The packet with all other extensions overwritten by padding (RFC 8285, 4.1)."""
    extensions = packet.extensions
    if extensions.keys() <= kept:
        return packet
    data = bytearray(packet.data)
    for id in extensions.keys() - kept:
        at, length = extensions[id]
        start = at - packet.extension_head
        data[start : at + length] = bytes(at + length - start)
    left = {id: place for id, place in extensions.items() if id in kept}
    return replace(packet, data=bytes(data), extensions=left)


def audio_level(packet: Rtp, id: int | None) -> int:
    """Loudness in -dBov (RFC 6464): 0 is loudest, 127 is silence or unknown."""
    value = packet.extension(id)
    return value[0] & 127 if value else SILENCE


def set_sequence(data: bytearray, sequence: int) -> None:
    """Change the sequence number."""
    _sequence.pack_into(data, 2, sequence & 0xFFFF)


def set_timestamp(data: bytearray, timestamp: int) -> None:
    """Change the timestamp."""
    struct.pack_into("!I", data, 4, timestamp & 0xFFFFFFFF)


def set_ssrc(data: bytearray, ssrc: int) -> None:
    """Change the SSRC."""
    struct.pack_into("!I", data, 8, ssrc)


def set_short(data: bytearray, at: int, value: int) -> None:
    """Change two bytes (transport-wide sequence number)."""
    _sequence.pack_into(data, at, value & 0xFFFF)


def set_send_time(data: bytearray, at: int, seconds: float) -> None:
    """Change abs-send-time: 24 bits, 6.18 fixed point seconds."""
    data[at : at + 3] = (int(seconds * 262144) & 0xFFFFFF).to_bytes(3, "big")


def later(a: int, b: int) -> bool:
    """Whether sequence number `a` comes after `b`."""
    return a != b and (a - b) & 0xFFFF < 0x8000


def is_rtcp(data: bytes) -> bool:
    """Told apart from RTP by the packet type (RFC 5761)."""
    return len(data) > 1 and 192 <= data[1] <= 223
