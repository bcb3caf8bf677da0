"""A bridge on loopback made of aiortc's and aioice's parts: real ICE, DTLS, SRTP and SCTP.

It is another implementation than the participants', on purpose: two ends of one program agree in
their mistakes.  It forwards what one endpoint sends to the others, and misbehaves where told.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import aioice.ice
from aiortc import rtcicetransport
from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceGatherer, RTCIceParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from aiortc.rtp import is_rtcp

ICE = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
RTP = "urn:xmpp:jingle:apps:rtp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
TCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
OPUS = "<payload-type id='111' name='opus' clockrate='48000' channels='2'/>"
VP8 = "<payload-type id='100' name='VP8' clockrate='90000'/>"


class Dtls(RTCDtlsTransport):
    """aiortc's, with packets in the clear for us instead of for its receivers."""

    on_packet: Callable[[bytes], Any]

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        await self.on_packet(data)

    async def _handle_rtcp_data(self, data: bytes) -> None:
        await self.on_packet(data)


@dataclass
class Endpoint:
    """One participant's side at the bridge."""

    bridge: FakeBridge
    nick: str
    ice: rtcicetransport.RTCIceTransport
    dtls: Dtls
    sctp: RTCSctpTransport
    got: list[bytes] = field(default_factory=list)
    """RTCP in the clear, as it came."""
    rtp: Counter[int] = field(default_factory=Counter)
    packets: list[bytes] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    ssrcs: dict[str, int] = field(default_factory=dict)
    accepted: ElementTree.Element | None = None
    task: asyncio.Task[None] | None = None
    swallow: int = 0
    """So many RTP datagrams more are lost on their way in."""

    def __post_init__(self) -> None:
        receive = self.ice._recv

        async def lossy() -> bytes:
            while True:
                datagram = await receive()
                if not (self.swallow and 127 < datagram[0] < 192 and not is_rtcp(datagram)):
                    return datagram
                self.swallow -= 1

        self.ice._recv = lossy

    def transport(self) -> str:
        """The <transport/> of its session-initiate."""
        bridge, parameters = self.bridge, self.ice.iceGatherer.getLocalParameters()
        fingerprint = bridge.fingerprint or self.dtls.getLocalParameters().fingerprints[0].value
        candidates = "".join(
            f"<candidate component='1' foundation='1' generation='0' id='c{n}' ip='{ip}' "
            f"network='0' port='{port}' priority='{2130706431 - n}' protocol='{protocol}' "
            "type='host'/>"
            for n, (ip, port, protocol) in enumerate(bridge.candidates or [self.address])
        )
        socket = f"<web-socket xmlns='http://jitsi.org/protocol/colibri' url='{bridge.url}'/>"
        return (
            f"<transport xmlns='{ICE}' ufrag='{parameters.usernameFragment}' "
            f"pwd='{bridge.password or parameters.password}'><rtcp-mux/>"
            f"<fingerprint xmlns='{DTLS}' hash='sha-256' setup='actpass'>{fingerprint}"
            f"</fingerprint>{candidates}{socket if bridge.url else ''}</transport>"
        )

    @property
    def address(self) -> tuple[str, int, str]:
        [candidate] = self.ice.iceGatherer.getLocalCandidates()
        return candidate.ip, candidate.port, "udp"

    def offer(self) -> str:
        """The <jingle/> of its session-initiate."""
        bridge, transport = self.bridge, self.transport()
        extension = "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='{}' uri='{}'/>"
        level = extension.format(1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")
        time = extension.format(3, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
        tcc = extension.format(5, TCC)
        sources = {"audio": "", "video": ""}
        for other in bridge.endpoints.values():
            for media, ssrc in other.ssrcs.items():
                if other is not self:
                    sources[media] += other.source(media, ssrc)
        data = (
            "<content name='data' creator='initiator'><description "
            f"xmlns='{RTP}' media='application'/>"
            + transport.replace(
                "<rtcp-mux/>",
                "<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5000' "
                "protocol='webrtc-datachannel' streams='1024'/>",
            )
            + "</content>"
        )
        return (
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s1' "
            "initiator='focus@auth/focus'>"
            f"<content name='audio' creator='initiator'><description xmlns='{RTP}' media='audio'>"
            f"{bridge.audio_codecs}{level}{tcc}{sources['audio']}</description>{transport}"
            "</content>"
            f"<content name='video' creator='initiator'><description xmlns='{RTP}' media='video'>"
            f"{bridge.video_codecs}{time}{tcc}{sources['video']}</description>{transport}"
            f"</content>{data if bridge.sctp else ''}"
            "<bridge-session xmlns='http://jitsi.org/protocol/focus' id='b1' region='lab'/>"
            "</jingle>"
        )

    def source(self, media: str, ssrc: int) -> str:
        return (
            f"<source xmlns='{SSMA}' ssrc='{ssrc}' name='{self.nick}-{media[0]}0'>"
            f"<ssrc-info xmlns='http://jitsi.org/jitmeet' owner='{self.nick}'/></source>"
        )

    def accept(self, text: str) -> None:
        """Its session-accept: connect, in a task of its own."""
        self.accepted = jingle = ElementTree.fromstring(text)
        for content in jingle:
            description = content.find(f"{{{RTP}}}description")
            if description is None:
                continue
            for source in description.iterfind(f"{{{SSMA}}}source"):
                self.ssrcs[description.get("media", "")] = int(source.get("ssrc", "0"))
        self.connect_to(jingle)

    def connect_to(self, told: ElementTree.Element) -> None:
        """Connect with the transport that is somewhere in this, in a task of its own."""
        self.task = asyncio.get_running_loop().create_task(self.connect(told))

    async def connect(self, jingle: ElementTree.Element) -> None:
        transport = jingle.find(f".//{{{ICE}}}transport")
        assert transport is not None
        assert transport.find(f"{{{ICE}}}candidate") is None  # a bridge learns them by checks
        print_ = transport.find(f"{{{DTLS}}}fingerprint")
        assert print_ is not None and print_.text
        await self.ice.start(
            RTCIceParameters(usernameFragment=transport.get("ufrag"), password=transport.get("pwd"))
        )
        if self.bridge.deaf_dtls or self.ice.state != "completed":
            return
        wanted = self.bridge.wanted_fingerprint or print_.text
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", wanted)]))
        if self.dtls.state == "connected" and self.bridge.sctp:
            await self.sctp.start(RTCSctpCapabilities(maxMessageSize=65536), 5000)

    async def on_packet(self, packet: bytes) -> None:
        if is_rtcp(packet):
            self.got.append(packet)
            return
        self.rtp[int.from_bytes(packet[8:12])] += 1
        self.packets.append(packet)
        for other in self.bridge.endpoints.values():
            if other is not self and other.dtls.state == "connected":
                await other.forward(packet)

    async def forward(self, packet: bytes) -> None:
        bridge = self.bridge
        if not bridge.paused and bridge.chance.random() >= bridge.loss:
            await self.dtls._send_rtp(packet)

    def on_data_channel(self, channel: RTCDataChannel) -> None:
        def take(text: str) -> None:
            message = json.loads(text)
            self.messages.append(message)
            if message["colibriClass"] == "ClientHello" and not self.bridge.mute_channel:
                channel.send(json.dumps({"colibriClass": "ServerHello", "version": "fake"}))

        channel.on("message", take)

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.sctp.stop()
        await self.dtls.stop()
        await self.ice.stop()


@dataclass
class FakeBridge:
    """What it offers and how it misbehaves."""

    audio_codecs: str = OPUS
    video_codecs: str = VP8
    sctp: bool = False
    url: str = ""
    fingerprint: str = ""
    """Told in the offer instead of the true one."""
    wanted_fingerprint: str = ""
    """Demanded of participants instead of what they told."""
    password: str = ""
    candidates: list[tuple[str, int, str]] = field(default_factory=list)
    """Told instead of the true one."""
    host: str = "127.0.0.1"
    deaf_dtls: bool = False
    mute_channel: bool = False
    loss: float = 0.0
    paused: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    all_made: list[Endpoint] = field(default_factory=list)
    """Those of earlier sessions too."""
    guests: list[Callable[[], None]] = field(default_factory=list)
    """What lets a participant hang up; called at the end of the scene."""

    async def endpoint(self, nick: str) -> Endpoint:
        """Allocate one."""
        gatherer = RTCIceGatherer(iceServers=[])
        with mock.patch.object(aioice.ice, "get_host_addresses", lambda **_: [self.host]):
            await gatherer.gather()
        ice = rtcicetransport.RTCIceTransport(gatherer)
        ice._connection.ice_controlling = True
        dtls = Dtls(ice, [RTCCertificate.generateCertificate()])
        dtls._set_role("server")
        made = Endpoint(self, nick, ice, dtls, RTCSctpTransport(dtls))
        dtls.on_packet = made.on_packet
        made.sctp.on("datachannel", made.on_data_channel)
        self.endpoints[nick] = made
        self.all_made.append(made)
        return made


@asynccontextmanager
async def bridging(bridge: FakeBridge) -> AsyncIterator[FakeBridge]:
    """The bridge until the end of the scene."""
    try:
        yield bridge
    finally:
        for hang_up in bridge.guests:
            hang_up()
        for endpoint in bridge.all_made:
            await endpoint.close()
