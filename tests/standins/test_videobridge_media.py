"""The stand-in bridge's media, with peers that are not ours: aiortc's ICE, DTLS-SRTP, SCTP."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCSctpTransport

from tests.standins.mediapeer import render_rtp
from tests.standins.mediascene import (
    A_AUDIO,
    A_VIDEO,
    B_AUDIO,
    DELTA,
    EVERYTHING,
    KEY,
    VP8,
    audio,
    heard,
    requests,
    run,
    speak,
    video,
)
from tests.standins.videobridge import Bridge, Member, running, websocket

import metrics  # isort: skip
import rtcp  # isort: skip

pytestmark = pytest.mark.sockets


def test_two_hear_each_other() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb", audio("bb", B_AUDIO))
            await speak(a.peer, A_AUDIO, 20)
            await speak(b.peer, B_AUDIO, 20)
            await b.peer.until(lambda: len(heard(b.peer, A_AUDIO)) == 20, "sound of aa")
            await a.peer.until(lambda: len(heard(a.peer, B_AUDIO)) == 20, "sound of bb")
            assert heard(b.peer, A_AUDIO) == list(range(20))
            assert not heard(a.peer, A_AUDIO)  # nobody hears itself
            assert bridge.bridge.media.totals.ice_succeeded == 2

    run(scene)


def test_wrong_fingerprint_is_refused() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO), fingerprint=":".join(["AB"] * 32))
            assert a.peer.dtls.state == "failed"
            endpoint = bridge.conference.endpoints["aa"]
            assert endpoint.transport.dtls_failed and not endpoint.transport.ready
            assert bridge.bridge.media.totals.dtls_failed == 1

    run(scene)


def test_unknown_sources_are_not_forwarded() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb", audio("bb", B_AUDIO))
            await speak(a.peer, B_AUDIO, 5)  # somebody else's
            await speak(a.peer, 9999, 5)  # nobody's
            await speak(a.peer, A_AUDIO, 5)
            await b.peer.until(lambda: len(heard(b.peer, A_AUDIO)) == 5, "sound of aa")
            assert {packet.ssrc for packet in b.peer.packets} == {A_AUDIO}
            assert not a.peer.packets

    run(scene)


def test_visitor_hears_and_is_not_heard() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            visitor = await bridge.join("vv", visitor=True)
            await speak(visitor.peer, A_AUDIO + 1, 5)
            await speak(a.peer, A_AUDIO, 5)
            await visitor.peer.until(lambda: len(heard(visitor.peer, A_AUDIO)) == 5, "sound")
            assert not a.peer.packets

    run(scene)


async def watch(bridge: Bridge, a: Member, b: Member, picture: list[bytes]) -> None:
    """`a` sends, until `b` has it all."""
    for number, payload in enumerate(picture):
        await a.peer.send(render_rtp(A_VIDEO, number, payload, pt=VP8, timestamp=number * 3000))
    await b.peer.until(lambda: heard(b.peer, A_VIDEO), "picture of aa")


def test_picture_needs_the_channel_and_begins_with_a_key_frame() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", video("aa", A_VIDEO))
            b = await bridge.join("bb")
            for number in range(3):
                await a.peer.send(render_rtp(A_VIDEO, number, KEY, pt=VP8))
            await asyncio.sleep(0.2)
            assert not b.peer.packets  # nothing was asked for
            async with websocket(b) as channel, websocket(a) as sender:
                assert await channel.hear("ServerHello") == {"colibriClass": "ServerHello"}
                await channel.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                told = await channel.hear("ForwardedSources")
                while told["forwardedSources"] != ["aa-v0"]:
                    told = await channel.hear("ForwardedSources")
                limit = await sender.hear("SenderSourceConstraints")
                while limit["maxHeight"] != 2160:
                    limit = await sender.hear("SenderSourceConstraints")
                assert limit["sourceName"] == "aa-v0"
                for number, payload in enumerate([DELTA, DELTA, KEY, DELTA], start=3):
                    await a.peer.send(render_rtp(A_VIDEO, number, payload, pt=VP8))
                await b.peer.until(lambda: len(heard(b.peer, A_VIDEO)) == 2, "picture of aa")
                assert heard(b.peer, A_VIDEO) == [5, 6]

    run(scene)


def test_key_frame_request_reaches_the_sender() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", video("aa", A_VIDEO))
            b = await bridge.join("bb")
            async with websocket(b) as channel:
                await channel.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                await a.peer.until(lambda: requests(a.peer), "request of the bridge's own")
                await watch(bridge, a, b, [KEY, DELTA])
                before = len(requests(a.peer))
                await asyncio.sleep(0.35)  # requests are not passed on more often
                await b.peer.send(rtcp.render_pli(1, A_VIDEO))
                await a.peer.until(lambda: len(requests(a.peer)) > before, "request of bb")
            assert {rtcp.media_ssrc(one) for one in requests(a.peer)} == {A_VIDEO}

    run(scene)


def test_wrong_password_and_wrong_server_of_the_websocket() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = bridge.allocate("aa")
            async with aiohttp.ClientSession() as session:
                for url, status in (
                    (a.websocket[:-1], 403),
                    (a.websocket.replace("/jvb1/", "/jvb9/"), 404),
                    (a.websocket.replace("/aa?", "/zz?"), 403),
                ):
                    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                        await session.ws_connect(url)
                    assert caught.value.status == status

    run(scene)


async def open_channel(member: Member, label: str = "JVB data channel") -> DataChannelEnd:
    """The client's end, as lib-jitsi-meet opens it."""
    sctp = RTCSctpTransport(member.peer.dtls)
    await sctp.start(RTCSctpTransport.getCapabilities(), 5000)
    end = DataChannelEnd(
        RTCDataChannel(
            sctp, RTCDataChannelParameters(label, protocol="http://jitsi.org/protocols/colibri")
        )
    )
    await asyncio.wait_for(end.opened.wait(), 5)
    return end


class DataChannelEnd:
    """Messages by SCTP."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self.opened, self._messages = asyncio.Event(), asyncio.Queue[str]()
        self._channel = channel
        channel.on("open", self.opened.set)
        channel.on("message", self._messages.put_nowait)

    def say(self, **message: object) -> None:
        self._channel.send(json.dumps(message))

    async def hear(self, kind: str) -> dict[str, object]:
        async with asyncio.timeout(5):
            while True:
                message: dict[str, object] = json.loads(await self._messages.get())
                if message["colibriClass"] == kind:
                    return message


def test_data_channel() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", video("aa", A_VIDEO), sctp=True)
            b = await bridge.join("bb", sctp=True)
            ours, theirs = await open_channel(a), await open_channel(b)
            ours.say(colibriClass="ClientHello")
            await ours.hear("ServerHello")
            theirs.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
            while (await theirs.hear("ForwardedSources"))["forwardedSources"] != ["aa-v0"]:
                pass
            long = "x" * 5000  # several packets
            ours.say(colibriClass="EndpointMessage", to="", msgPayload=long)
            message = await theirs.hear("EndpointMessage")
            assert (message["from"], message["msgPayload"]) == ("aa", long)
            theirs.say(colibriClass="EndpointMessage", to="aa", msgPayload="back")
            assert (await ours.hear("EndpointMessage"))["from"] == "bb"
            assert bridge.bridge.media.totals.channel.data_received == 4

    run(scene)


def test_messages_between_the_two_kinds_of_channel() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a, b = await bridge.join("aa", sctp=True), await bridge.join("bb")
            visitor = await bridge.join("vv", visitor=True)
            ours = await open_channel(a)
            async with websocket(b) as theirs, websocket(visitor) as unheard:
                await theirs.hear("ServerHello")
                await unheard.hear("ServerHello")
                await unheard.say(colibriClass="EndpointMessage", to="", msgPayload="visitor")
                await theirs.say(colibriClass="EndpointMessage", to="", msgPayload="all")
                ours.say(colibriClass="EndpointStats", bitrate=1)
                assert (await ours.hear("EndpointMessage"))["msgPayload"] == "all"
                assert (await unheard.hear("EndpointMessage"))["from"] == "bb"
                assert (await theirs.hear("EndpointStats"))["from"] == "aa"

    run(scene)


def test_who_falls_silent_is_told_and_who_comes_back() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb")
            async with websocket(b) as channel:
                await channel.hear("ServerHello")
                silent = bridge.conference.endpoints["aa"]
                silent.agent.active -= 9  # as if it had sent nothing for so long
                told = await channel.hear("EndpointConnectivityStatusChangeEvent")
                assert (told["endpoint"], told["active"]) == ("aa", "false")
                silent.agent.active += 9
                told = await channel.hear("EndpointConnectivityStatusChangeEvent")
                assert (told["endpoint"], told["active"]) == ("aa", "true")

    run(scene)


def test_figures() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb")
            await speak(a.peer, A_AUDIO, 20)
            await b.peer.until(lambda: len(heard(b.peer, A_AUDIO)) == 20, "sound")
            await bridge.join("cc", fingerprint=":".join(["AB"] * 32))
            meter = bridge.conference.endpoints["aa"].transport.received
            while not meter.bit_rate:  # rates are those of a whole second
                await speak(a.peer, A_AUDIO, 1)
                await asyncio.sleep(0.1)
            now = metrics.read_metrics(bridge.bridge, [])
            assert int(str(now["incoming_bitrate"])) > 0 and "outgoing_packet_rate" in now
            numbers = bridge.bridge.numbers()
            assert (numbers["participants"], numbers["total_ice_succeeded"]) == (3, 3)
            bridge.bridge.media.expire(bridge.conference)
            figures = metrics.read_metrics(bridge.bridge, [])
            assert figures["endpoints_dtls_failed_total"] == 1
            assert figures["incoming_bitrate"] == 0
            received, sent = figures["packets_received_total"], figures["packets_sent_total"]
            assert isinstance(received, int) and isinstance(sent, int)
            assert received >= 20 and sent >= 20
            assert figures["conferences"] == 0 and figures["conferences_completed_total"] == 1
            text = metrics.render_metrics(figures)
            assert "\njitsi_jvb_ice_succeeded_total 3.0\n" in text

    run(scene)
