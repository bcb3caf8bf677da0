"""RTP packets as bytes (RFC 3550, 8285): what a participant writes and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

_HEAD = Struct("!BBHII")
_EXTENDED = 0x10
_ONE_BYTE = 0xBEDE


def render_packet(
    *,
    payload_type: int,
    marker: bool,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    extensions: bytes = b"",
) -> bytes:
    """One packet; `extensions` as `render_extensions` made them."""
    first = 0x80 | (_EXTENDED if extensions else 0)
    head = _HEAD.pack(first, marker << 7 | payload_type, sequence, timestamp, ssrc)
    return head + extensions + payload


def render_extensions(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A block of one-byte header extensions (RFC 8285, 4.2); nothing for none."""
    body = b"".join(bytes((number << 4 | len(data) - 1,)) + data for number, data in elements)
    if not body:
        return b""
    words = -(-len(body) // 4)
    return _ONE_BYTE.to_bytes(2) + words.to_bytes(2) + body.ljust(words * 4, b"\0")


def find_extension(packet: bytes, number: int) -> bytes | None:
    """The header extension with this id; None where there is none."""
    if not packet[0] & _EXTENDED:
        return None
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[start : start + 2] != b"\xbe\xde":
        return None
    at = start + 4
    end = at + 4 * int.from_bytes(packet[start + 2 : start + 4])
    while at < end:
        head = packet[at]
        if head == 0:
            at += 1
            continue
        size = (head & 0x0F) + 1
        if head >> 4 == number:
            return packet[at + 1 : at + 1 + size]
        at += 1 + size
    return None


def absolute_send_time(seconds: float) -> bytes:
    """Seconds as 24 bits of 6.18 fixed point."""
    return (int(seconds * (1 << 18)) & 0xFFFFFF).to_bytes(3)


def is_rtcp(packet: bytes) -> bool:
    """RTP and RTCP share a port (RFC 5761, 4)."""
    return len(packet) > 1 and 192 <= packet[1] <= 223
