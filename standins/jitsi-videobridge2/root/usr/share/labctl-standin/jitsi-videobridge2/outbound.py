"""What one receiver is sent: continuous streams, packets kept for its NACKs, its own numbering.

A stream is one SSRC as the receiver knows it.  What feeds it may change, always at a key frame:
another layer of the source, or another source where SSRCs are rewritten.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field

import rtp
from rtp import Rtp, later
from signalling import Negotiated
from transport import PeerTransport

KEPT = 1024
OLD = 1000


@dataclass(slots=True)
class Sender:
    """The last step to a peer: header extensions of this hop, SRTP, and what may be asked again."""

    transport: PeerTransport
    negotiated: Negotiated = field(default_factory=Negotiated)
    _number: int = 0
    _kept: OrderedDict[tuple[int, int], bytearray] = field(default_factory=OrderedDict)

    def send(self, packet: Rtp, data: bytearray, *, keep: bool) -> None:
        """Send `data`, a changed copy of `packet`."""
        self._stamp(packet.extensions, data)
        self.transport.send_rtp(bytes(data))
        if keep:
            ssrc, sequence = int.from_bytes(data[8:12], "big"), int.from_bytes(data[2:4], "big")
            self._kept[ssrc, sequence] = data
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _stamp(self, extensions: dict[int, tuple[int, int]], data: bytearray) -> None:
        id = self.negotiated.transport_cc
        if id is not None and id in extensions:
            rtp.set_short(data, extensions[id][0], self._number)
            self._number = (self._number + 1) & 0xFFFF
        id = self.negotiated.send_time
        if id is not None and id in extensions:
            rtp.set_send_time(data, extensions[id][0], time.time())

    def resend(self, ssrc: int, sequence: int) -> bool:
        """Send a packet again; False where it is not kept any more."""
        data = self._kept.get((ssrc, sequence))
        packet = rtp.parse_rtp(bytes(data)) if data is not None else None
        if data is None or packet is None:
            return False
        self._stamp(packet.extensions, data)
        self.transport.send_rtp(bytes(data))
        return True


@dataclass(slots=True)
class Stream:
    """One SSRC towards a receiver; `feed` is the SSRC that feeds it now."""

    ssrc: int
    clock: int = 90000
    feed: int | None = None
    sequence: int | None = None
    timestamp: int = 0
    at: float = 0.0
    sequence_shift: int = 0
    timestamp_shift: int = 0
    _first: int = 0

    def project(self, packet: Rtp, now: float, *, can_begin: bool) -> bytearray | None:
        """The packet as the receiver gets it; None while the stream waits for a key frame."""
        if packet.ssrc != self.feed:
            if not can_begin:
                return None
            self._begin(packet, now)
        elif (self._first - packet.sequence) & 0xFFFF in range(1, OLD):
            return None  # from before the stream was fed by this
        data = bytearray(packet.data)
        sequence = (packet.sequence + self.sequence_shift) & 0xFFFF
        timestamp = (packet.timestamp + self.timestamp_shift) & 0xFFFFFFFF
        rtp.set_sequence(data, sequence)
        rtp.set_timestamp(data, timestamp)
        rtp.set_ssrc(data, self.ssrc)
        if self.sequence is None or later(sequence, self.sequence):
            self.sequence, self.timestamp, self.at = sequence, timestamp, now
        if (packet.sequence - self._first) & 0xFFFF > 0x4000:
            self._first = (packet.sequence - 0x2000) & 0xFFFF  # keep it behind, for ever
        return data

    def _begin(self, packet: Rtp, now: float) -> None:
        if self.sequence is not None:
            self.sequence_shift = self.sequence + 1 - packet.sequence
            passed = max(1, int((now - self.at) * self.clock))
            self.timestamp_shift = self.timestamp + passed - packet.timestamp
        self.feed, self._first = packet.ssrc, packet.sequence

    def pause(self) -> None:
        """Nothing feeds it until the next key frame."""
        self.feed = None
