"""What arrives from one source: packets, bytes, loss, jitter, gaps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from labctl.crowd.media import rtcp
from labctl.crowd.media.sources import Source

NOTED_GAP = 0.2
"""Seconds without a packet from which a pause is kept as a gap of its own."""
MOST_GAPS = 200
MOST_MISSING = 50
"""A jump of more packets is a new beginning and no loss that could be repaired."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without packets of one source; `began` in monotonic seconds."""

    source: str
    owner: str
    media: str
    began: float
    seconds: float
    over: bool = True
    """False while it still lasts."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """The counters of one source as a value."""

    name: str
    owner: str
    media: str
    ssrc: int
    packets: int
    bytes: int
    lost: int
    """Expected and never arrived."""
    jitter: float
    """Seconds (RFC 3550, 6.4.1)."""
    longest_gap: float
    first_at: float | None
    last_at: float | None
    """Monotonic seconds."""
    gone: bool
    """Its owner has left the room: silence is in order.  A source-remove alone is none: whoever is
    moved to another bridge has one, and should be heard again."""
    gaps: tuple[Gap, ...]

    def gaps_since(self, since: float, *, now: float) -> list[Gap]:
        """The gaps that reached beyond `since`, cut off there, the one that lasts included."""
        found = [_cut(gap, since) for gap in self.gaps if gap.began + gap.seconds > since]
        if self.last_at is not None and not self.gone and now - self.last_at >= NOTED_GAP:
            silent = now - self.last_at
            lasting = Gap(self.name, self.owner, self.media, self.last_at, silent, over=False)
            found.append(_cut(lasting, since))
        return found


class Receiver:
    """Counters of one source, kept over sessions: after a move the SSRC is another, the name
    is not, and the time between is a gap."""

    __slots__ = (
        "_awaited",
        "_before",
        "_clock",
        "_cycle",
        "_first",
        "_highest",
        "_last_blocks",
        "_missing",
        "_transit",
        "bytes",
        "first_at",
        "gaps",
        "gone",
        "jitter",
        "last_at",
        "longest_gap",
        "media",
        "name",
        "owner",
        "packets",
        "report_at",
        "report_ntp",
        "ssrc",
    )  # fmt: skip

    def __init__(self, source: Source, *, clock: int) -> None:
        self.name, self.owner, self.media = source.name, source.owner, source.media
        self.ssrc = source.ssrc
        self._clock = clock
        self.packets = self.bytes = 0
        self.jitter = self.longest_gap = 0.0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.gaps: deque[Gap] = deque(maxlen=MOST_GAPS)
        self.gone = False
        self._before = (0, 0)  # expected and received under earlier SSRCs
        self._missing: list[int] = []
        self._begin()

    def _begin(self) -> None:
        self._awaited = True
        self._first: int | None = None
        self._highest = self._cycle = 0
        self._transit: float | None = None
        self._last_blocks = (0, 0)
        self.report_ntp, self.report_at = 0, 0.0

    def rebind(self, source: Source, *, clock: int) -> None:
        """The same source goes on under another SSRC, or after a source-remove."""
        self._before = (self.expected, self.packets)
        self.ssrc, self._clock, self.gone = source.ssrc, clock, False
        self.name, self.owner = source.name, source.owner
        self._begin()

    @property
    def expected(self) -> int:
        """How many packets there should have been, by sequence numbers."""
        if self._first is None:
            return self._before[0]
        return self._before[0] + self._highest + self._cycle - self._first + 1

    @property
    def lost(self) -> int:
        return max(self.expected - self.packets, 0)

    def take(self, packet: bytes, size: int, at: float) -> bool:
        """Count a packet that arrived at `at`; True for the first one, and after a rebind."""
        number = packet[2] << 8 | packet[3]
        last = self.last_at
        self.packets += 1
        self.bytes += size
        self.last_at = at
        if last is not None and at - last > self.longest_gap:
            self._longest(last, at)
        elif last is not None and at - last >= NOTED_GAP:
            self._note(last, at)
        if self._first is None:
            self._first = self._highest = number
        else:
            self._advance(number)
        transit = at - int.from_bytes(packet[4:8]) / self._clock
        if self._transit is not None:
            drift = abs(transit - self._transit)
            if drift < 10:  # else the timestamp went round
                self.jitter += (drift - self.jitter) / 16
        self._transit = transit
        if self._awaited:
            self._awaited = False
            if self.first_at is None:
                self.first_at = at
            return True
        return False

    def _longest(self, last: float, at: float) -> None:
        self.longest_gap = at - last
        if self.longest_gap >= NOTED_GAP:
            self._note(last, at)

    def _note(self, last: float, at: float) -> None:
        self.gaps.append(Gap(self.name, self.owner, self.media, last, at - last))

    def _advance(self, number: int) -> None:
        step = number - self._highest & 0xFFFF
        if step == 1:
            if number == 0:
                self._cycle += 0x10000
            self._highest = number
        elif 0 < step < 0x8000:
            if step <= MOST_MISSING:
                self._missing += [(self._highest + i) & 0xFFFF for i in range(1, step)]
            if number < self._highest:
                self._cycle += 0x10000
            self._highest = number
        elif number in self._missing:
            self._missing.remove(number)

    def missing(self) -> list[int]:
        """What has to be asked for again; asked once."""
        missing, self._missing = self._missing, []
        return missing

    def on_report(self, ntp: int, at: float) -> None:
        """Its sender's report came: receivers quote it, so that senders know the way's time."""
        self.report_ntp, self.report_at = ntp, at

    def block(self, at: float) -> rtcp.Block:
        """What to report of it now."""
        expected, received = self.expected, self.packets
        before_expected, before_received = self._last_blocks
        self._last_blocks = (expected, received)
        due, came = expected - before_expected, received - before_received
        fraction = max(due - came, 0) * 256 // due if due > 0 else 0
        return rtcp.Block(
            ssrc=self.ssrc,
            fraction=min(fraction, 255),
            lost=self.lost,
            highest=self._cycle + self._highest,
            jitter=int(self.jitter * self._clock),
            last_report=rtcp.middle(self.report_ntp),
            delay=int((at - self.report_at) * 65536) if self.report_ntp else 0,
        )

    def view(self) -> SourceView:
        return SourceView(
            name=self.name,
            owner=self.owner,
            media=self.media,
            ssrc=self.ssrc,
            packets=self.packets,
            bytes=self.bytes,
            lost=self.lost,
            jitter=self.jitter,
            longest_gap=self.longest_gap,
            first_at=self.first_at,
            last_at=self.last_at,
            gone=self.gone,
            gaps=tuple(self.gaps),
        )


def _cut(gap: Gap, since: float) -> Gap:
    """The part of a gap that lies after `since`."""
    began = max(gap.began, since)
    end = gap.began + gap.seconds
    return Gap(gap.source, gap.owner, gap.media, began, end - began, gap.over)
