"""The media of one conference: from whom each packet comes, and to whom it goes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import rtcp
from allocation import allocate
from flows import Flow
from inbound import Inbound
from members import Endpoint, Relay
from rtp import Rtp, audio_level, keep_extensions, parse_rtp
from signalling import MediaSource
from speakers import Speakers

FIRST_TRANSFER = 15.0
INACTIVE = 8.0
WATCH_INTERVAL = 0.5
UNLIMITED_HEIGHT = 2160  # as a sender is told


class Switch:
    """Forwards between the members of a conference, which it shares with its owner."""

    def __init__(
        self, endpoints: Mapping[str, Endpoint], relays: Mapping[str, Relay], *, last_n: int
    ) -> None:
        self.endpoints = endpoints
        self.relays = relays
        self.last_n = last_n
        self.speakers = Speakers()
        self.speaker_changes = 0
        self.unknown_packets = 0
        self._flows: dict[int, Flow] = {}
        self._names: dict[str, Flow] = {}
        self._watched = 0.0
        self._told: dict[str, int] = {}  # the largest height wanted, by source

    # -- sources -------------------------------------------------------------------------------

    def set_sources(
        self, inbound: Inbound, sender: str, owner: str, sources: Iterable[MediaSource]
    ) -> None:
        """All sources of `owner`, which come from the endpoint or relay `sender`."""
        new = {source.name: source for source in sources}
        for flow in [one for one in self._names.values() if one.source.owner == owner]:
            if new.get(flow.source.name) != flow.source or flow.sender != sender:
                self._forget(flow)
            else:
                del new[flow.source.name]
        for source in new.values():
            self._learn(Flow(source, sender, inbound))
        self.reallocate()

    def _learn(self, flow: Flow) -> None:
        self._names[flow.source.name] = flow
        for ssrc in flow.ssrcs:
            self._flows[ssrc] = flow

    def _forget(self, flow: Flow) -> None:
        del self._names[flow.source.name]
        self._told.pop(flow.source.name, None)
        for ssrc in flow.ssrcs:
            if self._flows.get(ssrc) is flow:
                del self._flows[ssrc]
        flow.inbound.forget(flow.ssrcs)
        for endpoint in self.endpoints.values():
            endpoint.receiver.forget(flow)

    def remove_owner(self, owner: str) -> None:
        """An endpoint, here or on another bridge, has gone."""
        for flow in [one for one in self._names.values() if one.source.owner == owner]:
            self._forget(flow)
        self.speakers.remove(owner)
        self.reallocate()

    def set_video_type(self, owner: str, name: str, kind: str) -> None:
        """A source has become a camera, a screen, or nothing."""
        flow = self._names.get(name)
        if flow is not None and flow.source.owner == owner and flow.source.video_type != kind:
            old = flow.source
            flow.source = MediaSource(old.name, owner, old.media, old.layers, old.rtx, kind)
            self.reallocate()

    # -- who gets what -------------------------------------------------------------------------

    def reallocate(self) -> None:
        """Decide anew which video everybody gets, and tell those whose list has changed."""
        now = time.monotonic()
        for endpoint in self.endpoints.values():
            if not endpoint.receiver.asks:
                continue  # most of a large crowd never do
            sources = [
                flow.source for flow in self._names.values() if flow.source.owner != endpoint.id
            ]
            heights = allocate(
                endpoint.receiver.wishes, sources, speakers=self.speakers.order, limit=self.last_n
            )
            if endpoint.receiver.forward(heights, self._names, now):
                self.tell_forwarded(endpoint)
        self._tell_senders()

    def tell_forwarded(self, endpoint: Endpoint) -> None:
        """Which sources of video an endpoint gets."""
        names = list(endpoint.receiver.heights)
        endpoint.channel.say({"colibriClass": "ForwardedSources", "forwardedSources": names})

    def _wanted(self) -> dict[str, int]:
        """The largest height that anybody wants, by source."""
        wanted: dict[str, int] = {}
        for endpoint in self.endpoints.values():
            for name, height in endpoint.receiver.heights.items():
                most = UNLIMITED_HEIGHT if height < 0 else height
                wanted[name] = max(wanted.get(name, 0), most)
        return wanted

    def _tell_senders(self) -> None:
        wanted = self._wanted()
        for name, flow in self._names.items():
            if flow.source.media == "video" and flow.source.owner in self.endpoints:
                # What another bridge's receivers want is not known here: it gets everything.
                height = UNLIMITED_HEIGHT if self.relays else wanted.get(name, 0)
                if self._told.get(name) != height:
                    self._told[name] = height
                    self._tell_sender(flow.source.owner, name, height)

    def _tell_sender(self, owner: str, name: str, height: int) -> None:
        self.endpoints[owner].channel.say(
            {"colibriClass": "SenderSourceConstraints", "sourceName": name, "maxHeight": height}
        )

    def channel_connected(self, endpoint: Endpoint) -> None:
        """What an endpoint that can be told has missed."""
        for name, height in self._told.items():
            if self._names[name].source.owner == endpoint.id:
                self._tell_sender(endpoint.id, name, height)
        self.tell_forwarded(endpoint)
        endpoint.receiver.announce_all("video")
        endpoint.receiver.announce_all("audio")
        if self.speakers.order:
            endpoint.channel.say(self._dominant())
        for other in self.endpoints.values():
            if other.inactive:
                endpoint.channel.say(_status(other.id, active=False))

    # -- packets -------------------------------------------------------------------------------

    def endpoint_rtp(self, endpoint: Endpoint, data: bytes) -> None:
        """From an endpoint to everybody else; a visitor is not heard."""
        if endpoint.visitor:
            return
        packet = self._receive(endpoint.id, endpoint.inbound, data)
        if packet is not None:
            for relay in self.relays.values():
                relay.sender.send(packet, bytearray(packet.data), keep=True)

    def relay_rtp(self, relay: Relay, data: bytes) -> None:
        """From another bridge to the endpoints here."""
        self._receive(relay.id, relay.inbound, data)

    def _receive(self, sender: str, inbound: Inbound, data: bytes) -> Rtp | None:
        now = time.monotonic()
        packet = parse_rtp(data)
        if packet is None:
            return None
        inbound.arrived(packet, now)
        flow = self._flows.get(packet.ssrc)
        if flow is None or flow.sender != sender:
            self.unknown_packets += 1
            return None
        repeats = flow.source.rtx.get(packet.ssrc)
        if repeats is not None:
            packet = inbound.repaired(packet, repeats)
            if packet is None:
                return None
        inbound.count(packet, flow.source.media, now)
        flow.seen(packet.ssrc, now)
        if flow.source.media == "audio":
            level = audio_level(packet, inbound.negotiated.audio_level)
            self.speakers.heard(flow.source.owner, level)
        packet = keep_extensions(packet, inbound.negotiated.passed_on)
        for endpoint in self.endpoints.values():
            if endpoint.id != sender and endpoint.transport.ready:
                endpoint.receiver.rtp(flow, packet, now)
        return packet

    def endpoint_rtcp(self, endpoint: Endpoint, data: bytes) -> None:
        """Reports go to those who receive the source, requests to who sends it."""
        now = time.monotonic()
        for item in rtcp.parse_rtcp(data):
            if item.kind == rtcp.SR:
                if not endpoint.visitor:
                    self._sender_report(endpoint.id, endpoint.inbound, item, now)
            elif item.kind == rtcp.PSFB and item.count == rtcp.PLI:
                endpoint.receiver.key_frame(rtcp.media_ssrc(item), now)
            elif item.kind == rtcp.PSFB and item.count == rtcp.FIR:
                for ssrc in rtcp.fir_targets(item):
                    endpoint.receiver.key_frame(ssrc, now)
            elif item.kind == rtcp.RTPFB and item.count == rtcp.NACK:
                endpoint.receiver.lost(rtcp.media_ssrc(item), rtcp.parse_nack(item))

    def relay_rtcp(self, relay: Relay, data: bytes) -> None:
        """The same from another bridge, which knows sources by their senders' SSRCs."""
        now = time.monotonic()
        for item in rtcp.parse_rtcp(data):
            if item.kind == rtcp.SR:
                self._sender_report(relay.id, relay.inbound, item, now)
            elif item.kind == rtcp.PSFB and item.count == rtcp.PLI:
                flow = self._flows.get(rtcp.media_ssrc(item))
                if flow is not None and flow.sender != relay.id:
                    flow.ask_key_frame(rtcp.media_ssrc(item), now)
            elif item.kind == rtcp.RTPFB and item.count == rtcp.NACK:
                for sequence in rtcp.parse_nack(item):
                    relay.sender.resend(rtcp.media_ssrc(item), sequence)

    def _sender_report(self, sender: str, inbound: Inbound, item: rtcp.Rtcp, now: float) -> None:
        flow = self._flows.get(item.sender)
        if flow is None or flow.sender != sender or len(item.data) < 28:
            return
        inbound.sender_report(item, now)
        for endpoint in self.endpoints.values():
            if endpoint.id != sender:
                endpoint.receiver.sender_report(flow, item)
        if sender in self.endpoints:
            for relay in self.relays.values():
                relay.transport.send_rtcp(rtcp.render_sr_alone(item))

    # -- time ----------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Feedback and the dominant speaker; ten times a second."""
        for one in (*self.endpoints.values(), *self.relays.values()):
            if one.transport.ready:
                one.inbound.tick(now)
        if self.speakers.decide(now):
            self.speaker_changes += 1
            self._tell(self._dominant())
            self.reallocate()
        self.speakers.quieten()
        if now - self._watched >= WATCH_INTERVAL:
            self._watched = now
            self._watch_all(now)

    def _watch_all(self, now: float) -> None:
        """Rates, and who has fallen silent."""
        for one in (*self.endpoints.values(), *self.relays.values()):
            one.transport.received.roll(now)
            one.transport.sent.roll(now)
        for endpoint in self.endpoints.values():
            if not endpoint.visitor:
                self._watch(endpoint, now)

    def _dominant(self) -> dict[str, object]:
        first, *others = self.speakers.order
        return {
            "colibriClass": "DominantSpeakerEndpointChangeEvent",
            "dominantSpeakerEndpoint": first, "previousSpeakers": others, "silence": False,
        }  # fmt: skip

    def _watch(self, endpoint: Endpoint, now: float) -> None:
        last = endpoint.agent.active
        if last is None:
            inactive = now - endpoint.created > FIRST_TRANSFER
        else:
            inactive = now - last > INACTIVE
        if inactive != endpoint.inactive:
            endpoint.inactive = inactive
            message = _status(endpoint.id, active=not inactive)
            self._tell(message)
            for relay in self.relays.values():
                relay.channel.say(message)

    def _tell(self, message: Mapping[str, object]) -> None:
        for endpoint in self.endpoints.values():
            endpoint.channel.say(message)


def _status(id: str, *, active: bool) -> dict[str, object]:
    return {
        "colibriClass": "EndpointConnectivityStatusChangeEvent",
        "endpoint": id, "active": "true" if active else "false",
    }  # fmt: skip
