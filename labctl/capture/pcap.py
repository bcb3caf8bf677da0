"""What tcpdump writes, read while it comes: packets with their time.

The format is libpcap's first one (pcap-savefile(5)), which every tcpdump writes.  The Python
libraries that read it want a whole file or have had no release for years; this is a header and a
record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEADER, RECORD = struct.Struct("<IHHiIII"), struct.Struct("<IIII")
MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
MOST_BYTES = 1 << 20
"""No packet is longer; a record that says so is not one."""

Read = Callable[[int], bytes]
"""Returns so many bytes, fewer at the end only."""


class PcapError(ValueError):
    """The bytes are not those of packets."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet: nanoseconds since 1970, what was kept of it, and how long it was."""

    time: int
    data: bytes
    length: int


def read_pcap(read: Read) -> tuple[int, Iterator[Packet]]:
    """The link type of a capture, and its packets as they come.

    A capture that was cut off ends with its last whole packet.  Errors: PcapError, also from the
    iterator; EOFError if nothing comes at all.
    """
    head = read(HEADER.size)
    if not head:
        raise EOFError
    if len(head) < HEADER.size:
        raise PcapError(f"it ends after {len(head)} bytes")
    magic, *_, link_type = HEADER.unpack(head)
    if magic not in (MICROSECONDS, NANOSECONDS):
        raise PcapError(f"it begins with {head[:4].hex()}")
    return link_type & 0xFFFF, _packets(read, unit=1 if magic == NANOSECONDS else 1000)


def _packets(read: Read, *, unit: int) -> Iterator[Packet]:
    while len(head := read(RECORD.size)) == RECORD.size:
        seconds, parts, kept, length = RECORD.unpack(head)
        if kept > MOST_BYTES:
            raise PcapError(f"a packet of {kept} bytes")
        data = read(kept)
        if len(data) < kept:
            return
        yield Packet(seconds * 1_000_000_000 + parts * unit, data, length)
