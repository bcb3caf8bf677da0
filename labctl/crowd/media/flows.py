"""What a participant sends and receives, packet by packet, with the RTCP that belongs to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from labctl.crowd.media import rtcp, rtp
from labctl.crowd.media.accept import Agreed
from labctl.crowd.media.clips import clip_of
from labctl.crowd.media.feedback import Arrivals
from labctl.crowd.media.receiver import Receiver
from labctl.crowd.media.sender import Counter, Extensions, Sender
from labctl.crowd.media.session import Session
from labctl.crowd.media.sources import Source

FEEDBACK_EVERY = 0.1  # seconds, for transport-wide feedback and NACK
REPORT_EVERY = 10  # rounds of feedback from one report to the next
CLOCKS = {"audio": 48_000, "video": 90_000}  # of all codecs that Jitsi knows


class Flows:
    """Receivers live as long as the participant, senders as long as a session."""

    __slots__ = (
        "_arrivals", "_by_ssrc", "_media_of", "_on_first", "_rounds", "_session", "_timer",
        "_transport_id", "nick", "receivers", "senders",
    )  # fmt: skip

    def __init__(self, nick: str, *, on_first: Callable[[Receiver], None]) -> None:
        self.nick = nick
        self._on_first = on_first
        self.receivers: dict[str, Receiver] = {}
        self.senders: dict[int, Sender] = {}
        self._by_ssrc: dict[int, Receiver | None] = {}
        self._media_of: dict[int, str] = {}
        self._transport_id: int | None = None
        self._arrivals = Arrivals()
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rounds = 0

    # Whose what is.

    def add_sources(self, sources: Iterable[Source]) -> None:
        """Jicofo has announced these."""
        for source in sources:
            if source.owner == "jvb" or source.repairs:
                self._by_ssrc[source.ssrc] = None
                continue
            self._own(source)

    def _own(self, source: Source) -> None:
        """A packet may have come before its announcement: then its counters get their name."""
        clock = CLOCKS.get(source.media, 90_000)
        known = self.receivers.get(source.name)
        early = self._by_ssrc.get(source.ssrc)
        if known is None and early is not None:
            self.receivers.pop(early.name, None)
            early.name, early.owner, early.gone = source.name, source.owner, False
            known = early
            self._on_first(early)
        elif known is None:
            known = Receiver(source, clock=clock)
        elif known.ssrc != source.ssrc or known.gone:
            known.rebind(source, clock=clock)
        self.receivers[source.name] = known
        self._by_ssrc[source.ssrc] = known

    def remove_sources(self, sources: Iterable[Source]) -> None:
        """Jicofo has taken these SSRCs back; their owner may come back with others."""
        for source in sources:
            self._by_ssrc[source.ssrc] = None  # packets on their way are nobody's new source

    def forget(self, owner: str) -> None:
        """This person has left the room: nothing more is due from them."""
        for receiver in self.receivers.values():
            receiver.gone = receiver.gone or receiver.owner == owner

    # One session.

    def begin(self, session: Session, agreed: dict[str, Agreed], own: dict[str, Source]) -> None:
        """The session is connected: send, and report what comes."""
        self._session = session
        self._arrivals = Arrivals()
        self._media_of = {one.codec.id: media for media, one in agreed.items()}
        ids = [Extensions.of(one.extensions).transport for one in agreed.values()]
        self._transport_id = next((number for number in ids if number is not None), None)
        counter = Counter()
        for media, source in own.items():
            if media in agreed:
                self._start(session, agreed[media], source, counter)
        self._timer = asyncio.get_running_loop().call_later(FEEDBACK_EVERY, self._round)

    def _start(self, session: Session, agreed: Agreed, source: Source, counter: Counter) -> None:
        sender = Sender(
            source.name,
            source.ssrc,
            clip_of(agreed.codec.name),
            payload_type=agreed.codec.id,
            extensions=Extensions.of(agreed.extensions),
            counter=counter,
            send=session.send_rtp,
        )
        self.senders[source.ssrc] = sender
        sender.start()

    def end(self) -> None:
        """The session is over; what was counted stays."""
        if self._timer is not None:
            self._timer.cancel()
        for sender in self.senders.values():
            sender.stop()
        self.senders.clear()
        self._by_ssrc.clear()
        self._session = None

    # Packets.

    def on_rtp(self, packet: bytes, size: int, at: float) -> None:
        """One packet in the clear; `size` on the wire."""
        if self._transport_id is not None:
            number = rtp.find_extension(packet, self._transport_id)
            if number is not None:
                self._arrivals.note(number[0] << 8 | number[1], at)
        ssrc = int.from_bytes(packet[8:12])
        try:
            receiver = self._by_ssrc[ssrc]
        except KeyError:
            receiver = self._by_ssrc[ssrc] = self._unannounced(ssrc, packet[1] & 0x7F)
        if receiver is not None and receiver.take(packet, size, at) and receiver.owner:
            self._on_first(receiver)

    def _unannounced(self, ssrc: int, payload_type: int) -> Receiver | None:
        """Packets may overtake source-add; what is no codec of ours is only padding or repair."""
        media = self._media_of.get(payload_type)
        if media is None:
            return None
        source = Source(ssrc, f"ssrc-{ssrc}", "", media)
        receiver = self.receivers[source.name] = Receiver(source, clock=CLOCKS[media])
        receiver.gone = True  # nobody promised that it goes on
        return receiver

    def on_rtcp(self, packet: bytes, at: float) -> None:
        for part in rtcp.parse_compound(packet):
            if part.kind == rtcp.SENDER_REPORT:
                receiver = self._by_ssrc.get(part.sender)
                if receiver is not None:
                    receiver.on_report(int.from_bytes(part.body[:8]), at)
            elif part.kind == rtcp.TRANSPORT_FEEDBACK and part.format == rtcp.NACK:
                self._repeat(part)
            for ssrc in rtcp.wanted_pictures(part):
                if ssrc in self.senders:
                    self.senders[ssrc].want_picture()

    def _repeat(self, part: rtcp.Part) -> None:
        sender = self.senders.get(part.source)
        if sender is None or self._session is None:
            return
        for number in rtcp.parse_nack(part):
            datagram = sender.kept(number)
            if datagram is not None:
                self._session.send_again(datagram)

    # What is due from time to time.

    def _round(self) -> None:
        session = self._session
        if session is None:
            return
        self._rounds += 1
        packets = [self._arrivals.render(self._own_ssrc, self._any_ssrc), *self._nacks()]
        if self._rounds % REPORT_EVERY == 0:
            packets = [self._reports(), *packets]
        if compound := b"".join(packets):
            session.send_rtcp(compound)
        self._timer = asyncio.get_running_loop().call_later(FEEDBACK_EVERY, self._round)

    @property
    def _own_ssrc(self) -> int:
        """Who reports: a source of ours, else the 1 that receivers without any use."""
        return next(iter(self.senders), 1)

    @property
    def _any_ssrc(self) -> int:
        return next((ssrc for ssrc, one in self._by_ssrc.items() if one is not None), 0)

    def _nacks(self) -> list[bytes]:
        return [
            rtcp.render_nack(self._own_ssrc, ssrc, missing)
            for ssrc, one in self._by_ssrc.items()
            if one is not None and one.media == "video" and (missing := one.missing())
        ]

    def _reports(self) -> bytes:
        """Sender reports with what was received, or a receiver report where nothing is sent."""
        now = time.monotonic()
        blocks = [
            one.block(now) for one in self._by_ssrc.values() if one is not None and one.packets
        ]
        parts, most = [], rtcp.MOST_BLOCKS
        for sender in self.senders.values():
            parts.append(sender.report(blocks[:most]))
            blocks = blocks[most:]
        while blocks or not parts:
            parts.append(rtcp.render_receiver_report(self._own_ssrc, blocks[:most]))
            blocks = blocks[most:]
        parts.append(rtcp.render_description(self._own_ssrc, self.nick))
        return b"".join(parts)
