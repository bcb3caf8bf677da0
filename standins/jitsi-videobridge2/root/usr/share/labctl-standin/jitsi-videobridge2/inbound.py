"""What one peer sends: reception statistics, gaps, and the feedback that the peer gets for them.

Reports after RFC 3550 (appendix A), NACK after RFC 4585, RTX after RFC 4588, transport-wide
feedback or REMB as negotiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import rtcp
from rtp import Rtp, later, parse_rtp
from signalling import Negotiated

CLOCKS = {"audio": 48000, "video": 90000}
NACK_TRIES = 5
NACK_INTERVAL = 0.1
MAX_GAP = 100
REPORT_INTERVAL = 1.0
MAX_FEEDBACK = 1000
REMB_FLOOR, REMB_START, REMB_CEILING = 100_000, 2_500_000, 20_000_000


@dataclass(slots=True)
class Reception:
    """One SSRC as received; `missing` are sequence numbers with (tries, time of the last)."""

    media: str
    base: int
    highest: int
    cycles: int = 0
    packets: int = 0
    jitter: float = 0.0
    missing: dict[int, tuple[int, float]] = field(default_factory=dict)
    last_sr: int = 0
    sr_at: float = 0.0
    _transit: float | None = None
    _expected: int = 0
    _packets: int = 0

    def count(self, packet: Rtp, now: float) -> list[int]:
        """One packet; gives the sequence numbers that its arrival shows to be missing."""
        self.packets += 1
        self.missing.pop(packet.sequence, None)
        self._measure(packet, now)
        if not later(packet.sequence, self.highest):
            return []
        gap = (packet.sequence - self.highest) & 0xFFFF
        lost = [(self.highest + step) & 0xFFFF for step in range(1, gap)] if gap < MAX_GAP else []
        if packet.sequence < self.highest:
            self.cycles += 1
        self.highest = packet.sequence
        self.missing.update((one, (1, now)) for one in lost)
        return lost

    def _measure(self, packet: Rtp, now: float) -> None:
        transit = now * CLOCKS[self.media] - packet.timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < CLOCKS[self.media]:  # not across a wrap or a restarted clock
                self.jitter += (change - self.jitter) / 16
        self._transit = transit

    def due(self, now: float) -> list[int]:
        """What is missing still and may be asked for again."""
        again = [
            one for one, (tries, at) in self.missing.items()
            if now - at >= NACK_INTERVAL and tries < NACK_TRIES
        ]  # fmt: skip
        gone = [one for one, (tries, at) in self.missing.items() if tries >= NACK_TRIES]
        for one in gone:
            del self.missing[one]
        for one in again:
            self.missing[one] = (self.missing[one][0] + 1, now)
        return again

    def report(self, ssrc: int, now: float) -> rtcp.ReportBlock:
        """The block of a receiver report; the fraction is of the time since the last one."""
        extended = self.cycles << 16 | self.highest
        expected = extended - self.base + 1
        new, got = expected - self._expected, self.packets - self._packets
        self._expected, self._packets = expected, self.packets
        fraction = max(0, min(255, (new - got) * 256 // new)) if new > 0 else 0
        delay = int((now - self.sr_at) * 65536) if self.last_sr else 0
        return rtcp.ReportBlock(
            ssrc, fraction, expected - self.packets, extended & 0xFFFFFFFF,
            int(self.jitter), self.last_sr, delay & 0xFFFFFFFF,
        )  # fmt: skip


@dataclass(slots=True)
class Inbound:
    """Everything that one peer sends; `reply` takes RTCP for it, `ours` is our SSRC in that."""

    reply: Callable[[bytes], None]
    ours: int
    negotiated: Negotiated = field(default_factory=Negotiated)
    receptions: dict[int, Reception] = field(default_factory=dict)
    _arrivals: list[tuple[int, float]] = field(default_factory=list)
    _unwrapped: int | None = None
    _feedbacks: int = 0
    _reported: float = 0.0
    _bytes: int = 0
    _remb: int = REMB_START

    def count(self, packet: Rtp, media: str, now: float) -> None:
        """One media packet; asks at once for those that it shows to be missing."""
        self._bytes += len(packet.data)
        known = self.receptions.get(packet.ssrc)
        if known is None:
            known = Reception(media, packet.sequence, packet.sequence)
            self.receptions[packet.ssrc] = known
            known.count(packet, now)
            return
        lost = known.count(packet, now)
        if lost and media == "video":
            self.reply(rtcp.render_nack(self.ours, packet.ssrc, lost))

    def arrived(self, packet: Rtp, now: float) -> None:
        """For transport-wide feedback: any packet, RTX and padding too."""
        value = packet.extension(self.negotiated.transport_cc)
        if value is None or len(value) != 2:
            return
        number = int.from_bytes(value, "big")
        if self._unwrapped is None:
            self._unwrapped = number
        else:
            step = (number - self._unwrapped) & 0xFFFF
            number = self._unwrapped + (step if step < 0x8000 else step - 0x10000)
            self._unwrapped = max(self._unwrapped, number)
        if number >= 0:
            self._arrivals.append((number, now))

    def repaired(self, packet: Rtp, of: int) -> Rtp | None:
        """The packet that an RTX packet for SSRC `of` repeats; None for padding."""
        payload = packet.payload
        original = self.negotiated.rtx.get(packet.payload_type)
        if len(payload) < 3 or original is None:
            return None
        data = bytearray(packet.data[: packet.payload_at] + payload[2:])
        data[0] &= 0xDF
        data[1] = data[1] & 128 | original
        data[2:4] = payload[:2]
        data[8:12] = of.to_bytes(4, "big")
        return parse_rtp(bytes(data))

    def sender_report(self, packet: rtcp.Rtcp, now: float) -> None:
        """Remember a sender report for the next receiver report."""
        known = self.receptions.get(packet.sender)
        if known is not None:
            known.last_sr, known.sr_at = rtcp.sr_middle(packet), now

    def forget(self, ssrcs: set[int]) -> None:
        """These are no longer sent."""
        for ssrc in ssrcs:
            self.receptions.pop(ssrc, None)

    # -- feedback ------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Send what is due; called ten times a second."""
        for ssrc, one in self.receptions.items():
            if one.media == "video" and (again := one.due(now)):
                self.reply(rtcp.render_nack(self.ours, ssrc, again))
        self._transport_feedback()
        if now - self._reported >= REPORT_INTERVAL and self.receptions:
            self._report(now)

    def _transport_feedback(self) -> None:
        arrivals, self._arrivals = sorted(dict(self._arrivals).items()), []
        while arrivals:
            within = [one for one in arrivals if one[0] - arrivals[0][0] < MAX_FEEDBACK]
            media = next(iter(self.receptions), 0)
            self.reply(rtcp.render_transport_cc(self.ours, media, self._feedbacks, within))
            self._feedbacks += 1
            arrivals = arrivals[len(within) :]

    def _report(self, now: float) -> None:
        blocks = [one.report(ssrc, now) for ssrc, one in self.receptions.items()]
        packet = rtcp.render_rr(self.ours, blocks) + rtcp.render_sdes(self.ours, "jvb")
        if self.negotiated.remb:
            packet += self._estimate(blocks, now)
        self.reply(packet)
        self._reported = now

    def _estimate(self, blocks: list[rtcp.ReportBlock], now: float) -> bytes:
        """REMB from loss alone: more than a tenth lost lowers it, less than 2 % lets it grow."""
        rate = int(self._bytes * 8 / max(REPORT_INTERVAL, min(now - self._reported, 5.0)))
        self._bytes = 0
        worst = max((block.lost_fraction for block in blocks), default=0)
        if worst > 25:
            self._remb = max(REMB_FLOOR, int(rate * (1 - worst / 512)))
        elif worst < 5:
            self._remb = min(REMB_CEILING, max(self._remb, rate) * 108 // 100)
        return rtcp.render_remb(self.ours, self._remb, list(self.receptions))
