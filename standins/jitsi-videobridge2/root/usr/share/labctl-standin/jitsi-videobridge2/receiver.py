"""An endpoint as a receiver: which sources it gets, under which SSRCs, and its feedback on them."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import rtcp
from allocation import Wishes
from flows import Flow
from keyframes import begins_key_frame
from outbound import Sender, Stream
from rtp import Rtp

Say = Callable[[Mapping[str, object]], None]
MAX_STREAMS = 50


@dataclass(slots=True)
class AudioWishes:
    """A ReceiverAudioSubscription; everything, until one comes."""

    everything: bool = True
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def wants(self, name: str) -> bool:
        """Whether a source is to be heard."""
        return name not in self.exclude if self.everything else name in self.include


@dataclass(slots=True)
class Receiver:
    """Towards one endpoint; with `rewriting` it knows sources by SSRCs of its own."""

    sender: Sender
    rewriting: bool
    say: Say
    wishes: Wishes = field(default_factory=Wishes)
    audio: AudioWishes = field(default_factory=AudioWishes)
    heights: dict[str, int] = field(default_factory=dict)
    _streams: dict[str, Stream] = field(default_factory=dict)
    _flows: dict[str, Flow] = field(default_factory=dict)
    _rtx: dict[str, int] = field(default_factory=dict)

    @property
    def asks(self) -> bool:
        """Whether it has ever asked for video, or could be sent some."""
        return bool(self.wishes.default_height or self.wishes.heights or self.heights)

    # -- which sources -------------------------------------------------------------------------

    def forward(self, heights: dict[str, int], flows: Mapping[str, Flow], now: float) -> bool:
        """The sources of video that it gets from now on; True when the list has changed."""
        changed = set(heights) != set(self.heights)
        for name in set(self.heights) - set(heights):
            if name in self._streams:
                self._streams[name].pause()
        new = [flows[name] for name in heights if name not in self.heights]
        self.heights = heights
        if self.rewriting and new:
            self._announce(new)
        for name, height in heights.items():
            self._ask_to_begin(flows[name], height, now)
        return changed

    def _ask_to_begin(self, flow: Flow, height: int, now: float) -> None:
        """Ask for a key frame of the layer that is wanted, where another one or none is sent."""
        stream, target = self._streams.get(flow.source.name), flow.layer(height, now)
        if stream is None or stream.feed != target:
            flow.ask_key_frame(target, now)

    def forget(self, flow: Flow) -> None:
        """A source has ended."""
        self._streams.pop(flow.source.name, None)
        self._flows.pop(flow.source.name, None)
        self.heights.pop(flow.source.name, None)

    def _stream(self, flow: Flow) -> Stream:
        name = flow.source.name
        known = self._streams.get(name)
        if known is not None:
            self._flows[name] = flow
            return known
        clock = 48000 if flow.source.media == "audio" else 90000
        made = Stream(flow.source.primary, clock)
        if self.rewriting:
            made = self._reused(flow) or Stream(secrets.randbelow(2**32 - 2) + 1, clock)
            self._rtx[name] = secrets.randbelow(2**32 - 2) + 1
        self._streams[name], self._flows[name] = made, flow
        return made

    def _reused(self, flow: Flow) -> Stream | None:
        """The stream that was used longest ago, once there are as many as there may be."""
        media = flow.source.media
        names = [name for name, one in self._flows.items() if one.source.media == media]
        idle = [name for name in names if media == "audio" or name not in self.heights]
        if len(names) < MAX_STREAMS or not idle:
            return None
        oldest = min(idle, key=lambda name: self._streams[name].at)
        stream = self._streams.pop(oldest)
        del self._flows[oldest]
        stream.pause()
        return stream

    # -- SSRC rewriting ------------------------------------------------------------------------

    def _announce(self, flows: Iterable[Flow]) -> None:
        for flow in flows:
            self._stream(flow)
        self.announce_all("video", [flow.source.name for flow in flows])

    def announce_all(self, media: str, names: Iterable[str] | None = None) -> None:
        """Tell the endpoint which SSRC stands for which source."""
        wanted = [
            name for name, flow in self._flows.items()
            if flow.source.media == media and (names is None or name in names)
        ]  # fmt: skip
        if self.rewriting and wanted:
            kind = "AudioSourcesMap" if media == "audio" else "VideoSourcesMap"
            mapped = [self._mapping(name) for name in wanted]
            self.say({"colibriClass": kind, "mappedSources": mapped})

    def _mapping(self, name: str) -> dict[str, object]:
        source = self._flows[name].source
        mapping: dict[str, object] = {
            "source": name, "owner": source.owner, "ssrc": self._streams[name].ssrc,
        }  # fmt: skip
        if source.media == "video":
            kind = "DESKTOP" if source.video_type == "desktop" else "CAMERA"
            mapping |= {"rtx": self._rtx[name], "videoType": kind}
        return mapping

    # -- packets -------------------------------------------------------------------------------

    def rtp(self, flow: Flow, packet: Rtp, now: float) -> None:
        """Send a packet on, if it is wanted."""
        name = flow.source.name
        if flow.source.media == "video":
            height = self.heights.get(name)
            if height is not None:
                self._video(flow, packet, height, now)
        elif self.audio.wants(name):
            self._audio(flow, packet, now)

    def _audio(self, flow: Flow, packet: Rtp, now: float) -> None:
        if not self.rewriting:
            self.sender.send(packet, bytearray(packet.data), keep=False)
            return
        new = flow.source.name not in self._streams
        stream = self._stream(flow)
        if new:
            self.announce_all("audio", [flow.source.name])
        data = stream.project(packet, now, can_begin=True)
        if data is not None:
            self.sender.send(packet, data, keep=False)

    def _video(self, flow: Flow, packet: Rtp, height: int, now: float) -> None:
        stream = self._stream(flow)
        target = flow.layer(height, now)
        can_begin = False
        if packet.ssrc != stream.feed:
            if packet.ssrc != target:
                return
            codec = flow.inbound.negotiated.codecs.get(packet.payload_type, "")
            can_begin = begins_key_frame(codec, packet.payload)
            if not can_begin:
                flow.ask_key_frame(target, now)
        data = stream.project(packet, now, can_begin=can_begin)
        if data is not None:
            self.sender.send(packet, data, keep=True)

    def sender_report(self, flow: Flow, report: rtcp.Rtcp) -> None:
        """Pass a sender report on, in the numbering of the stream."""
        name, data = flow.source.name, bytearray(rtcp.render_sr_alone(report))
        stream = self._streams.get(name)
        if stream is not None and report.sender == stream.feed:
            timestamp = struct.unpack_from("!I", data, 16)[0] + stream.timestamp_shift
            struct.pack_into("!I", data, 4, stream.ssrc)
            struct.pack_into("!I", data, 16, timestamp & 0xFFFFFFFF)
        elif self.rewriting or flow.source.media == "video" or not self.audio.wants(name):
            return
        self.sender.transport.send_rtcp(bytes(data))

    # -- feedback ------------------------------------------------------------------------------

    def _find(self, ssrc: int) -> tuple[Flow, Stream] | None:
        for name, stream in self._streams.items():
            if stream.ssrc == ssrc:
                return self._flows[name], stream
        return None

    def key_frame(self, ssrc: int, now: float) -> bool:
        """The endpoint needs a key frame; False where it knows no such SSRC."""
        found = self._find(ssrc)
        if found is None:
            return False
        flow, stream = found
        height = self.heights.get(flow.source.name, 0)
        flow.ask_key_frame(stream.feed or flow.layer(height, now), now)
        return True

    def lost(self, ssrc: int, sequences: Iterable[int]) -> None:
        """The endpoint lacks packets: send them again, or ask the source's sender for them."""
        missing = [one for one in sequences if not self.sender.resend(ssrc, one)]
        found = self._find(ssrc)
        if missing and found is not None and found[1].feed is not None:
            flow, stream = found
            theirs = [(one - stream.sequence_shift) & 0xFFFF for one in missing]
            flow.inbound.reply(rtcp.render_nack(flow.inbound.ours, found[1].feed, theirs))
