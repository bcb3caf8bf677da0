"""Blocks of a pcapng file, which Wireshark reads: an interface for each node, packets, TLS secrets.

The format: draft-ietf-opsawg-pcapng.  A block of TLS secrets (4.7 there) is what an SSLKEYLOGFILE
holds; the common Python library for pcapng has none.
"""

from __future__ import annotations

import struct

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 10
BYTE_ORDER, WHOLE_FILE = 0x1A2B3C4D, -1
TLS_KEY_LOG = 0x544C534B
APPLICATION, NAME, RESOLUTION = 4, 2, 9
NANOSECONDS = b"\x09"


def section(application: str) -> bytes:
    """The beginning of a file, which names the program that wrote it."""
    fixed = struct.pack("<IHHq", BYTE_ORDER, 1, 0, WHOLE_FILE)
    return _block(SECTION, fixed + _options((APPLICATION, application.encode())))


def interface(name: str, *, link_type: int) -> bytes:
    """The next interface; packets name it by its number, from 0."""
    fixed = struct.pack("<HHI", link_type, 0, 0)
    return _block(INTERFACE, fixed + _options((NAME, name.encode()), (RESOLUTION, NANOSECONDS)))


def packet(data: bytes, *, interface: int, time: int, length: int) -> bytes:
    """A packet that was seen at `time`, in nanoseconds since 1970, and was `length` bytes long."""
    high, low = time >> 32, time & 0xFFFFFFFF
    return _block(
        PACKET, struct.pack("<IIIII", interface, high, low, len(data), length) + _to(data)
    )


def tls_secrets(key_log: bytes) -> bytes:
    """Lines of a key log; they must stand before the packets that they open."""
    return _block(SECRETS, struct.pack("<II", TLS_KEY_LOG, len(key_log)) + _to(key_log))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _options(*options: tuple[int, bytes]) -> bytes:
    packed = (struct.pack("<HH", code, len(value)) + _to(value) for code, value in options)
    return b"".join(packed) + bytes(4)


def _to(data: bytes) -> bytes:
    """Padded to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)
