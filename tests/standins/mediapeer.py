"""A participant with media that is not ours: ICE, DTLS-SRTP and SCTP by aiortc."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import aioice.ice
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)

from tests.standins import paths  # noqa: F401

import rtcp  # isort: skip
import rtp  # isort: skip
import stanzas  # isort: skip

# aioice leaves loopback out, which is the only network of these tests.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

CHROME = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")


class Peer:
    """One side of a transport, the answerer's: ICE controlled, DTLS client."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.gatherer = RTCIceGatherer(iceServers=[])
        self.ice = RTCIceTransport(self.gatherer)
        self.certificate = RTCCertificate.generateCertificate()
        self.dtls = RTCDtlsTransport(self.ice, [self.certificate])
        self.dtls._handle_rtp_data = self._rtp
        self.dtls._handle_rtcp_data = self._rtcp
        self._receive = self.ice._recv
        self.ice._recv = self._lossy
        self.lose = 0  # so many of the next RTP packets are lost on the way here
        self.packets: list[rtp.Rtp] = []
        self.reports: list[rtcp.Rtcp] = []
        self._news = asyncio.Condition()

    async def _lossy(self) -> bytes:
        data: bytes = await self._receive()
        while self.lose and data[0] >> 6 == 2 and not rtp.is_rtcp(data):
            self.lose -= 1
            data = await self._receive()
        return data

    async def _rtp(self, data: bytes, arrival_time_ms: int) -> None:
        async with self._news:
            packet = rtp.parse_rtp(data)
            assert packet is not None
            self.packets.append(packet)
            self._news.notify_all()

    async def _rtcp(self, data: bytes) -> None:
        async with self._news:
            self.reports += rtcp.parse_rtcp(data)
            self._news.notify_all()

    async def until(self, done: Callable[[], object], what: str, seconds: float = 5) -> None:
        """Waits for packets until `done`."""
        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait_for(done)
            except TimeoutError:
                raise AssertionError(f"{self.id}: no {what}") from None

    # -- signalling ----------------------------------------------------------------------------

    async def describe(self, *, fingerprint: str | None = None) -> stanzas.Element:
        """Our ICE transport, as a session-accept has it."""
        await self.gatherer.gather()
        parameters = self.gatherer.getLocalParameters()
        made = stanzas.el(
            stanzas.ICE, "transport",
            {"ufrag": parameters.usernameFragment, "pwd": parameters.password},
        )  # fmt: skip
        ours = next(
            one.value for one in self.certificate.getFingerprints() if one.algorithm == "sha-256"
        )
        attrs = {"hash": "sha-256", "setup": "active"}
        made.append(stanzas.el(stanzas.DTLS, "fingerprint", attrs, fingerprint or ours))
        for one in self.gatherer.getLocalCandidates():
            attrs = {"ip": one.ip, "port": str(one.port), "protocol": one.protocol}
            attrs |= {"component": "1", "type": one.type}
            made.append(stanzas.el(stanzas.ICE, "candidate", attrs))
        return made

    async def connect(self, transport: stanzas.Element) -> None:
        """ICE and DTLS to the bridge's transport."""
        for item in stanzas.find_all(transport, stanzas.ICE, "candidate"):
            await self.ice.addRemoteCandidate(
                RTCIceCandidate(
                    component=1,
                    foundation=item.get("foundation", ""),
                    ip=item.get("ip", ""),
                    port=int(item.get("port", "0")),
                    priority=int(item.get("priority", "0")),
                    protocol="udp",
                    type=item.get("type", ""),
                )
            )
        await self.ice.addRemoteCandidate(None)
        remote = RTCIceParameters(
            usernameFragment=transport.get("ufrag", ""), password=transport.get("pwd", "")
        )
        await self.ice.start(remote)
        element = stanzas.find(transport, stanzas.DTLS, "fingerprint")
        assert element is not None and CHROME.fullmatch(element.text or "")
        self.dtls._set_role("client")
        await self.dtls.start(
            RTCDtlsParameters([RTCDtlsFingerprint("sha-256", element.text or "")])
        )

    async def send(self, data: bytes) -> None:
        """An RTP or RTCP packet."""
        await self.dtls._send_rtp(data)

    async def close(self) -> None:
        await self.dtls.stop()
        await self.ice.stop()


def render_rtp(
    ssrc: int, sequence: int, payload: bytes, *, pt: int, timestamp: int | None = None,
    extensions: dict[int, bytes] | None = None,
) -> bytes:  # fmt: skip
    """A packet with one-byte header extensions."""
    body = b"".join(
        bytes([id << 4 | len(value) - 1]) + value for id, value in (extensions or {}).items()
    )
    body += b"\0" * (-len(body) % 4)
    head = bytes([0x80 | (0x10 if body else 0), pt]) + sequence.to_bytes(2, "big")
    stamp = sequence * 960 if timestamp is None else timestamp
    head += (stamp & 0xFFFFFFFF).to_bytes(4, "big") + ssrc.to_bytes(4, "big")
    if body:
        head += b"\xbe\xde" + (len(body) // 4).to_bytes(2, "big") + body
    return head + payload
