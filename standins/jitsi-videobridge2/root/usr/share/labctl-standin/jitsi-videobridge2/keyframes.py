"""Key frames, told by the first bytes of a payload; pure.

VP8: RFC 7741.  VP9: RFC 9628.  H.264: RFC 6184.  AV1: the AV1 RTP specification, 4.4.
"""

from __future__ import annotations

from collections.abc import Callable


def _vp8(payload: bytes) -> bool:
    first = payload[0]
    at = 1
    if first & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            at += 2 if payload[at] & 0x80 else 1
        at += bool(flags & 0x40) + bool(flags & 0x30)
    starts = first & 0x10 and not first & 0x0F
    return bool(starts) and not payload[at] & 1


def _vp9(payload: bytes) -> bool:
    first = payload[0]
    predicted, begins, layered = first & 0x40, first & 0x08, first & 0x20
    if predicted or not begins:
        return False
    at = 1
    if first & 0x80:
        at += 2 if payload[at] & 0x80 else 1
    return not layered or not payload[at] & 0x0E


def _h264(payload: bytes) -> bool:
    kind = payload[0] & 31
    if kind == 24:  # several units in one packet, each after its length
        kind = payload[3] & 31
    elif kind == 28:  # a fragment: only the first one counts
        kind = payload[1] & 31 if payload[1] & 0x80 else 0
    return kind in (5, 7)


def _av1(payload: bytes) -> bool:
    return bool(payload[0] & 0x08)


_readers: dict[str, Callable[[bytes], bool]] = {
    "vp8": _vp8, "vp9": _vp9, "h264": _h264, "av1": _av1,
}  # fmt: skip


def begins_key_frame(codec: str, payload: bytes) -> bool:
    """Whether a receiver can begin with this packet; always, for a codec that is not known."""
    reader = _readers.get(codec)
    if reader is None:
        return True
    try:
        return reader(payload)
    except IndexError:
        return False
