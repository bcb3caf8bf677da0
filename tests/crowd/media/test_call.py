"""Calls against a bridge on loopback, on good days."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSrPacket

from labctl.crowd.events import Kind
from labctl.crowd.media import MediaKind
from labctl.crowd.media import rtcp as rtcps
from labctl.crowd.media.clips import clip_of
from labctl.crowd.media.rtp import find_extension
from tests.crowd.media.fakebridge import Endpoint, FakeBridge, bridging
from tests.crowd.media.person import OPTIONS, Person, play, two_in

pytestmark = pytest.mark.sockets


async def until(true: object, *, within: float = 5.0) -> None:
    """Wait for a condition (a callable without arguments)."""
    assert callable(true)
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.02)


def test_two_hear_and_see_each_other() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, two = await two_in(bridge)
        await until(lambda: one.view().sources[0].packets > 20)
        view = one.view()
        assert view.receives("bbbb2222", "audio") and view.receives("bbbb2222", "video")
        assert (view.bridge, view.sessions, view.problem) == ("jvb1", 1, None)
        [reach] = view.reaches
        assert (reach.reachable, reach.chosen, reach.kind) == (True, True, "host")
        assert {one.name for one in view.sources} == {"bbbb2222-a0", "bbbb2222-v0"}
        first = view.first("audio")
        assert first is not None and 0 < first < 5
        assert all(source.lost == 0 and source.jitter < 0.1 for source in view.sources)
        assert {one.media for one in view.sent} == {"audio", "video"}
        assert two.view().spoiled == 0

    play(scene)


def test_the_session_accept_says_what_is_sent() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        endpoint = bridge.endpoints["aaaa1111"]
        assert endpoint.ssrcs == {source.media: source.ssrc for source in one.view().sent}
        accepted = endpoint.accepted
        assert accepted is not None
        found = accepted.findall(".//{urn:xmpp:jingle:apps:rtp:ssma:0}source")
        assert [item.get("name") for item in found] == ["aaaa1111-a0", "aaaa1111-v0"]
        values = [parameter.get("value") for parameter in found[0]]
        assert values == ["aaaa1111-audio-0 aaaa1111-a0", "aaaa1111"]
        prints = accepted.findall(".//{urn:xmpp:jingle:apps:dtls:0}fingerprint")
        assert {item.get("setup") for item in prints} == {"active"}

    play(scene)


def test_packets_carry_what_was_negotiated() -> None:
    async def scene(bridge: FakeBridge) -> None:
        await two_in(bridge)
        endpoint = bridge.endpoints["aaaa1111"]
        await until(lambda: len(endpoint.packets) > 40)
        sound = [packet for packet in endpoint.packets if packet[1] & 0x7F == 111]
        picture = [packet for packet in endpoint.packets if packet[1] & 0x7F == 100]
        levels = {frame.info for frame in clip_of("opus").frames}
        assert all(find_extension(p, 1)[0] & 0x7F in levels for p in sound)  # type: ignore[index]
        assert all(len(find_extension(packet, 3) or b"") == 3 for packet in picture)
        numbers = [int.from_bytes(find_extension(p, 5) or b"") for p in endpoint.packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        times = [int.from_bytes(packet[4:8]) for packet in sound]
        assert {(b - a) & 0xFFFFFFFF for a, b in pairwise(times)} == {960}

    play(scene)


def test_reports_are_what_another_implementation_reads() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        endpoint = bridge.endpoints["aaaa1111"]

        def reports() -> list[RtcpSrPacket]:
            packets = [packet for data in endpoint.got for packet in RtcpPacket.parse(data)]
            return [packet for packet in packets if isinstance(packet, RtcpSrPacket)]

        await until(lambda: len(reports()) >= 2)
        senders = {source.ssrc: source for source in one.view().sent}
        for report in reports():
            assert report.ssrc in senders
            assert 0 < report.sender_info.packet_count <= senders[report.ssrc].packets + 1
        blocks = [block for report in reports() for block in report.reports]
        assert {block.ssrc for block in blocks} <= set(bridge.endpoints["bbbb2222"].ssrcs.values())
        assert all(block.packets_lost == 0 for block in blocks) and blocks

    play(scene)


def test_a_visitor_receives_and_sends_nothing() -> None:
    async def scene(bridge: FakeBridge) -> None:
        speaker, visitor = Person("aaaa1111"), Person("bbbb2222")
        await speaker.invite(bridge)
        endpoint = await visitor.invite(bridge, visitor=True)
        await visitor.wait(Kind.HEARD)
        await visitor.wait(Kind.SEEN)
        assert endpoint.ssrcs == {}
        await until(lambda: endpoint.got)
        assert not endpoint.rtp
        packets = [packet for data in endpoint.got for packet in RtcpPacket.parse(data)]
        assert not any(isinstance(packet, RtcpSrPacket) for packet in packets)
        await until(
            lambda: any(
                isinstance(packet, RtcpRrPacket)
                for data in endpoint.got
                for packet in RtcpPacket.parse(data)
            )
        )

    play(scene)


def test_sound_only() -> None:
    async def scene(bridge: FakeBridge) -> None:
        options = replace(OPTIONS, kind=MediaKind.AUDIO)
        one, two = Person("aaaa1111", options), Person("bbbb2222", options)
        await one.invite(bridge)
        one.hear_of(await two.invite(bridge))
        await one.wait(Kind.HEARD)
        await two.wait(Kind.HEARD)
        assert set(bridge.endpoints["aaaa1111"].ssrcs) == {"audio"}

    play(scene)


def test_a_picture_is_sent_whole_when_it_is_asked_for() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        endpoint = bridge.endpoints["aaaa1111"]
        ssrc = endpoint.ssrcs["video"]
        await until(lambda: endpoint.rtp[ssrc] > 30)
        endpoint.packets.clear()
        await endpoint.dtls._send_rtp(rtcps.render_pli(1, ssrc))
        await until(lambda: any(whole(packet) for packet in endpoint.packets), within=2)
        [asked] = [source.pictures_asked for source in one.view().sent if source.media == "video"]
        assert asked == 1

    play(scene)


def whole(packet: bytes) -> bool:
    """It begins a key frame of VP8 (RFC 7741, 4.3: the last bit of the header is 0)."""
    if packet[1] & 0x7F != 100:
        return False
    start = 12 + 4 + 4 * int.from_bytes(packet[14:16])
    return bool(packet[start] & 0x10) and not packet[start + 6] & 1


def test_lost_packets_are_sent_again() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        endpoint = bridge.endpoints["aaaa1111"]
        ssrc = endpoint.ssrcs["video"]
        endpoint.swallow = 20
        await until(lambda: endpoint.swallow == 0 and holes(endpoint, ssrc))
        missing = holes(endpoint, ssrc)
        await endpoint.dtls._send_rtp(rtcps.render_nack(1, ssrc, missing))
        await until(lambda: set(missing) <= numbers(endpoint, ssrc))
        [again] = [source.repeated for source in one.view().sent if source.media == "video"]
        assert again == len(missing)

    play(scene)


def numbers(endpoint: Endpoint, ssrc: int) -> set[int]:
    packets = [p for p in endpoint.packets if int.from_bytes(p[8:12]) == ssrc]
    return {int.from_bytes(packet[2:4]) for packet in packets}


def holes(endpoint: Endpoint, ssrc: int) -> list[int]:
    seen = numbers(endpoint, ssrc)
    return sorted(set(range(min(seen), max(seen))) - seen) if seen else []


def test_loss_is_counted_and_lost_pictures_are_asked_for() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        bridge.loss = 0.2
        await until(lambda: one.view().sources[0].packets > 150, within=8)
        [sound] = [source for source in one.view().sources if source.media == "audio"]
        assert 0.08 < sound.lost / (sound.lost + sound.packets) < 0.35
        bridge.loss = 0.0
        endpoint = bridge.endpoints["aaaa1111"]
        parts = [part for data in endpoint.got for part in rtcps.parse_compound(data)]
        asked = [p for p in parts if (p.kind, p.format) == (rtcps.TRANSPORT_FEEDBACK, rtcps.NACK)]
        assert {part.source for part in asked} == {bridge.endpoints["bbbb2222"].ssrcs["video"]}

    play(scene)


def test_a_pause_is_a_gap() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, _ = await two_in(bridge)
        await asyncio.sleep(0.3)
        before = time.monotonic()
        bridge.paused = True
        await asyncio.sleep(0.8)
        lasting = one.view().longest_gap("audio", since=before)
        bridge.paused = False
        paused = time.monotonic() - before
        assert lasting is not None and not lasting.over
        await until(lambda: one.view().receives("bbbb2222", "audio", after=before + paused))
        gap = one.view().longest_gap("audio", since=before)
        assert gap is not None and gap.over and gap.owner == "bbbb2222"
        assert abs(gap.seconds - paused) < 0.15
        assert one.view().longest_gap("audio", since=before + paused + 0.2) is None

    play(scene)


def test_counters_go_on_after_a_move_and_the_time_between_is_a_gap() -> None:
    async def scene(bridge: FakeBridge) -> None:
        async with bridging(FakeBridge()) as second:
            one, two = await two_in(bridge)
            await until(lambda: one.view().sources[0].packets > 10)
            moved = time.monotonic()
            for person in (one, two):
                person.call.hang_up()
            await asyncio.sleep(0.4)
            await one.invite(second)
            one.hear_of(await two.invite(second))
            await one.wait(Kind.HEARD, after=moved)
            await one.wait(Kind.SEEN, after=moved)
            view = one.view()
            assert (view.sessions, len(view.sources)) == (2, 2)
            gap = view.longest_gap("audio", since=moved)
            assert gap is not None and gap.over and gap.seconds > 0.35
            assert all(source.lost == 0 for source in view.sources)

    play(scene)


def test_a_source_that_was_taken_back_is_missed_until_it_comes_again() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, two = await two_in(bridge)
        since = time.monotonic()
        first = bridge.endpoints["bbbb2222"]
        two.call.hang_up()
        one.hear_of(first, action="source-remove")
        await asyncio.sleep(0.5)
        lasting = one.view().longest_gap("audio", since=since)
        assert lasting is not None and not lasting.over and lasting.seconds > 0.4
        one.hear_of(await two.invite(bridge))
        await one.wait(Kind.HEARD, after=since)
        gap = one.view().longest_gap("audio", since=since)
        assert gap is not None and gap.over and gap.seconds > 0.5
        assert len(one.view().sources) == 2

    play(scene)


def test_silence_of_who_has_left_is_no_gap() -> None:
    async def scene(bridge: FakeBridge) -> None:
        one, two = await two_in(bridge)
        left = time.monotonic()
        two.call.hang_up()
        one.call.flows.forget("bbbb2222")
        await asyncio.sleep(0.4)
        assert one.view().gaps_since(left) == []

    play(scene)
