"""The stand-in bridge's streams: losses, layers, rewritten SSRCs, feedback, relays."""

from __future__ import annotations

import asyncio
import struct

import pytest

from tests.standins.mediapeer import Peer, render_rtp
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
from tests.standins.videobridge import FEATURES, Bridge, Member, running, websocket

import colibri  # isort: skip
import rtcp  # isort: skip
from sources import Group, Source  # isort: skip

pytestmark = pytest.mark.sockets
RTX_SSRC, RTX = 2223, 96


async def send_video(peer: Peer, ssrc: int, numbers: list[int], *, key: int = -1) -> None:
    for number in numbers:
        payload = KEY if number == key else DELTA
        await peer.send(render_rtp(ssrc, number, payload, pt=VP8, timestamp=number * 3000))


def nacks(peer: Peer) -> list[int]:
    return [
        number
        for one in peer.reports
        if (one.kind, one.count) == (rtcp.RTPFB, rtcp.NACK)
        for number in rtcp.parse_nack(one)
    ]


def test_lost_packets_are_asked_for_and_sent_again() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            sources = (video("aa", A_VIDEO), Source(RTX_SSRC, "video", "aa-v0", "ms track"))
            group = Group("FID", "video", (A_VIDEO, RTX_SSRC))
            a = await bridge.join("aa", *sources, groups=(group,))
            b = await bridge.join("bb")
            async with websocket(b) as channel:
                await channel.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                await a.peer.until(lambda: requests(a.peer), "request for a key frame")
                await send_video(a.peer, A_VIDEO, [7, 8, 11], key=7)
                await a.peer.until(lambda: {9, 10} <= set(nacks(a.peer)), "NACK")
                repeated = struct.pack("!H", 9) + DELTA
                await a.peer.send(render_rtp(RTX_SSRC, 500, repeated, pt=RTX, timestamp=27000))
                await b.peer.until(lambda: 9 in heard(b.peer, A_VIDEO), "the repaired packet")
                (packet,) = [one for one in b.peer.packets if one.sequence == 9]
                assert (packet.payload_type, packet.payload) == (VP8, DELTA)
                # What the receiver lacks comes from the bridge, not from the sender again.
                asked = len(nacks(a.peer))
                b.peer.lose = 2
                await send_video(a.peer, A_VIDEO, [12, 13, 14])
                await b.peer.until(lambda: 14 in heard(b.peer, A_VIDEO), "the last packet")
                assert not {12, 13} & set(heard(b.peer, A_VIDEO))
                await b.peer.send(rtcp.render_nack(1, A_VIDEO, [12, 13]))
                await b.peer.until(lambda: {12, 13} <= set(heard(b.peer, A_VIDEO)), "repeats")
                assert set(nacks(a.peer)[asked:]) <= {10}

    run(scene)


def test_reports_and_transport_wide_feedback() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb")
            for number in range(10):
                extensions = {1: b"\x20", 5: struct.pack("!H", number + 60)}
                await a.peer.send(
                    render_rtp(A_AUDIO, number, b"opus", pt=111, extensions=extensions)
                )
            await a.peer.until(lambda: feedback(a.peer), "transport-wide feedback")
            first, count = struct.unpack_from("!HH", feedback(a.peer)[0].data, 12)
            assert first == 60 and 0 < count <= 10
            await a.peer.until(lambda: [r for r in a.peer.reports if r.kind == rtcp.RR], "report")
            report = next(one for one in a.peer.reports if one.kind == rtcp.RR)
            assert struct.unpack_from("!I", report.data, 8)[0] == A_AUDIO
            assert report.sender in [source.ssrc for source in a.bridge_sources.sources]
            # On the way out each packet has the number that this receiver has reached.
            await b.peer.until(lambda: len(heard(b.peer, A_AUDIO)) == 10, "sound")
            numbers = [int.from_bytes(one.extension(5) or b"", "big") for one in b.peer.packets]
            assert numbers == list(range(10))

    run(scene)


def feedback(peer: Peer) -> list[rtcp.Rtcp]:
    wanted = (rtcp.RTPFB, rtcp.TRANSPORT_CC)
    return [one for one in peer.reports if (one.kind, one.count) == wanted]


def test_remb_where_that_is_negotiated() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            features = frozenset({"AUDIO", "VIDEO", "REMB"})
            a = await bridge.join("aa", audio("aa", A_AUDIO), features=features)
            await speak(a.peer, A_AUDIO, 5)
            await a.peer.until(lambda: [r for r in a.peer.reports if b"REMB" in r.data], "REMB")
            assert not feedback(a.peer)

    run(scene)


def test_sender_reports_reach_the_receivers() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO))
            b = await bridge.join("bb")
            body = struct.pack("!IIIIII", A_AUDIO, 1, 2, 48000, 5, 50)
            await a.peer.send(struct.pack("!BBH", 0x80, rtcp.SR, 6) + body)
            await b.peer.until(lambda: [r for r in b.peer.reports if r.kind == rtcp.SR], "report")
            (report,) = [one for one in b.peer.reports if one.kind == rtcp.SR]
            assert report.data[4:] == body

    run(scene)


LAYERS = (51, 52, 53)


def test_one_layer_of_simulcast_under_one_ssrc() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            sources = [Source(ssrc, "video", "aa-v0", "ms track") for ssrc in LAYERS]
            a = await bridge.join("aa", *sources, groups=(Group("SIM", "video", LAYERS),))
            b = await bridge.join("bb")
            async with websocket(b) as channel:
                await channel.say(
                    colibriClass="ReceiverVideoConstraints", defaultConstraints={"maxHeight": 180}
                )
                await a.peer.until(lambda: requests(a.peer), "request for a key frame")
                for ssrc in LAYERS:
                    await send_video(a.peer, ssrc, [ssrc * 100, ssrc * 100 + 1], key=ssrc * 100)
                await b.peer.until(lambda: len(b.peer.packets) == 2, "the small layer")
                assert heard(b.peer, 51) == [5100, 5101]
                await channel.say(
                    colibriClass="ReceiverVideoConstraints", defaultConstraints={"maxHeight": 720}
                )
                await a.peer.until(
                    lambda: 53 in [rtcp.media_ssrc(one) for one in requests(a.peer)], "request"
                )
                for ssrc in LAYERS:
                    await send_video(a.peer, ssrc, [ssrc * 100 + 2], key=-1)
                await send_video(a.peer, 53, [5303, 5304], key=5303)
                await send_video(a.peer, 51, [5103])
                await b.peer.until(lambda: len(b.peer.packets) == 5, "the large layer")
                # Without a gap, and until the key frame the small layer goes on.
                assert heard(b.peer, 51) == [5100, 5101, 5102, 5103, 5104]
                stamps = [one.timestamp for one in b.peer.packets]
                assert stamps == sorted(stamps)

    run(scene)


def test_rewritten_ssrcs() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            a = await bridge.join("aa", audio("aa", A_AUDIO), video("aa", A_VIDEO))
            b = await bridge.join("bb", features=FEATURES | {"SSRC_REWRITING_V1"})
            async with websocket(b) as channel:
                await channel.hear("ServerHello")
                await speak(a.peer, A_AUDIO, 5)
                (sound,) = mapped(await channel.hear("AudioSourcesMap"))
                assert (sound["source"], sound["owner"]) == ("aa-a0", "aa")
                await channel.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                (picture,) = mapped(await channel.hear("VideoSourcesMap"))
                assert (picture["source"], picture["videoType"]) == ("aa-v0", "CAMERA")
                await send_video(a.peer, A_VIDEO, [1, 2], key=1)
                await b.peer.until(lambda: heard(b.peer, picture["ssrc"]), "picture")
                assert {one.ssrc for one in b.peer.packets} == {sound["ssrc"], picture["ssrc"]}
                assert not {A_AUDIO, A_VIDEO} & {sound["ssrc"], picture["ssrc"]}
                before = len(requests(a.peer))
                await asyncio.sleep(0.35)
                await b.peer.send(rtcp.render_pli(1, picture["ssrc"]))
                await a.peer.until(lambda: len(requests(a.peer)) > before, "request of bb")
                assert rtcp.media_ssrc(requests(a.peer)[-1]) == A_VIDEO

    run(scene)


def mapped(message: dict[str, object]) -> list[dict[str, int]]:
    found = message["mappedSources"]
    assert isinstance(found, list)
    return found


def test_last_n_keeps_who_speaks() -> None:
    async def scene() -> None:
        async with running() as (bridge,):
            await bridge.join("aa", audio("aa", A_AUDIO), video("aa", A_VIDEO))
            b = await bridge.join("bb", audio("bb", B_AUDIO), video("bb", 44))
            c = await bridge.join("cc")
            async with websocket(c) as channel:
                await channel.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                await speak(b.peer, B_AUDIO, 40, level=10)
                told = await channel.hear("DominantSpeakerEndpointChangeEvent")
                assert told["dominantSpeakerEndpoint"] == "bb"
                await channel.say(colibriClass="LastNChangedEvent", lastN=1)
                while (await channel.hear("ForwardedSources"))["forwardedSources"] != ["bb-v0"]:
                    pass
                await channel.say(
                    colibriClass="ReceiverVideoConstraints", selectedSources=["aa-v0"],
                    defaultConstraints={"maxHeight": 180},
                )  # fmt: skip
                assert (await channel.hear("ForwardedSources"))["forwardedSources"] == ["aa-v0"]

    run(scene)


def link(first: Bridge, second: Bridge, *, sctp: bool = True) -> None:
    """What Jicofo does to let two bridges relay."""
    ends = [(first, second, True), (second, first, False)]
    given = [
        colibri.parse_relay(
            ours.ask(colibri.create_relay(theirs.name, [], controlling=controlling, sctp=sctp)),
            theirs.name,
        )
        for ours, theirs, controlling in ends
    ]
    for (ours, theirs, controlling), transport in zip(ends, reversed(given), strict=True):
        setup = "active" if controlling else "passive"
        element = colibri.relay_transport(transport, controlling=controlling, setup=setup)
        assert ours.ask(colibri.update_relay(theirs.name, element)).get("type") == "result"


def tell_remote(bridge: Bridge, other: Bridge, id: str, *sources: Source) -> None:
    from sources import SourceSet

    remote = colibri.RemoteEndpoint(id, None, SourceSet(sources))
    element = colibri.remote_endpoints([remote], create=True)
    assert bridge.ask(colibri.update_relay(other.name, element)).get("type") == "result"


@pytest.mark.parametrize("sctp", [True, False], ids=["data-channel", "websocket"])
def test_media_and_messages_between_two_bridges(sctp: bool) -> None:
    async def scene() -> None:
        async with running("jvb1", "jvb2") as (one, two):
            a = await one.join("aa", audio("aa", A_AUDIO), video("aa", A_VIDEO))
            b = await two.join("bb", audio("bb", B_AUDIO))
            link(one, two, sctp=sctp)
            tell_remote(two, one, "aa", audio("aa", A_AUDIO), video("aa", A_VIDEO))
            tell_remote(one, two, "bb", audio("bb", B_AUDIO))
            async with websocket(a) as ours, websocket(b) as theirs:
                await relayed(one, two)
                await speak(a.peer, A_AUDIO, 5)
                await speak(b.peer, B_AUDIO, 5)
                await b.peer.until(lambda: len(heard(b.peer, A_AUDIO)) == 5, "sound of aa")
                await a.peer.until(lambda: len(heard(a.peer, B_AUDIO)) == 5, "sound of bb")
                await theirs.say(colibriClass="ReceiverVideoConstraints", **EVERYTHING)
                await a.peer.until(lambda: requests(a.peer), "request through both bridges")
                await send_video(a.peer, A_VIDEO, [1, 2, 3], key=1)
                await b.peer.until(lambda: len(heard(b.peer, A_VIDEO)) == 3, "picture of aa")
                await ours.say(colibriClass="EndpointMessage", to="bb", msgPayload="hello")
                assert (await theirs.hear("EndpointMessage"))["from"] == "aa"
                counts = one.bridge.media.totals.channel
                assert (counts.data_sent > 0) == sctp

    run(scene)


def test_relays_of_two_conferences_are_told_apart() -> None:
    async def scene() -> None:
        async with running("jvb1", "jvb2") as (one, two):
            other = colibri.Meeting("9c3d-meeting", "s@c")
            speakers = []
            for first, second, ssrc in (
                (one, two, A_AUDIO),
                (one.in_meeting(other), two.in_meeting(other), B_AUDIO),
            ):
                speaker = await first.join(f"a{ssrc}", audio(f"a{ssrc}", ssrc))
                hearer = await second.join(f"b{ssrc}", audio(f"b{ssrc}", ssrc + 1))
                link(first, second)
                tell_remote(second, first, f"a{ssrc}", audio(f"a{ssrc}", ssrc))
                speakers.append((speaker, hearer, ssrc))
                await relayed(first, second)
            for speaker, hearer, ssrc in speakers:
                await speak(speaker.peer, ssrc, 5)
                await hearer.peer.until(
                    lambda peer=hearer.peer, ssrc=ssrc: len(heard(peer, ssrc)) == 5,
                    f"sound of {ssrc}",
                )
                assert {packet.ssrc for packet in hearer.peer.packets} == {ssrc}

    run(scene)


async def relayed(*bridges: Bridge) -> None:
    """Until the relays have DTLS and their channel."""
    relays = [relay for one in bridges for relay in one.conference.relays.values()]
    async with asyncio.timeout(5):
        while not all(one.transport.ready and one.channel.connected for one in relays):
            await asyncio.sleep(0.02)


def test_remote_endpoint_that_leaves_is_forgotten() -> None:
    async def scene() -> None:
        async with running("jvb1", "jvb2") as (one, two):
            members: list[Member] = [one.allocate("aa"), two.allocate("bb")]
            link(one, two)
            tell_remote(two, one, "aa", audio("aa", A_AUDIO))
            gone = colibri.remote_endpoints([])
            gone.extend(colibri.expire_endpoints(["aa"]))
            two.ask(colibri.update_relay("jvb1", gone))
            tell_remote(two, one, "a2", audio("a2", A_AUDIO))  # its SSRC is free again
            relay = two.conference.relays["jvb1"]
            assert relay.endpoints == {"a2"} and len(members) == 2

    run(scene)
