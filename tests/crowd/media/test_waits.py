"""Participants with media through XMPP, and the waits for their media."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from labctl.crowd import Crowd, Kind, Options, Participant, Target
from labctl.crowd.caps import WITH_DATA_CHANNEL, WITH_MEDIA
from labctl.crowd.media import ChannelKind, MediaKind, MediaOptions, MediaProblem, MediaStage
from labctl.crowd.media.waits import probe, wait_channel, wait_media
from labctl.crowd.run import CrowdPlan, CrowdStage, MediaPlan, run_crowd
from tests.crowd.fakexmpp import running
from tests.crowd.media.fakebridge import FakeBridge, bridging
from tests.crowd.media.fakemeeting import FakeMeeting

pytestmark = pytest.mark.sockets

MEDIA = MediaOptions(channel=ChannelKind.NONE, bridges={"127.0.0.1": "jvb1"}, connect_within=2.0)


def play(folder: Path, server: FakeMeeting, scene: Callable[[Target], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), bridging(server.bridge), running(server, folder) as target:
            await scene(target)

    asyncio.run(main())


@pytest.mark.parametrize("json_sources", [False, True], ids=["elements", "json"])
def test_a_crowd_hears_and_sees_itself(tmp_path: Path, json_sources: bool) -> None:
    server = FakeMeeting(json_sources=json_sources)

    async def scene(target: Target) -> None:
        async with Crowd(target, "r1", options=Options(media=MEDIA)) as crowd:
            await crowd.join(3)
            views = await wait_media(crowd.with_media, media=("audio", "video"), deadline=8)
            assert {view.bridge for view in views} == {"jvb1"}
            later = time.monotonic()
            again = await wait_media(crowd.with_media, deadline=3, after=later)
            nicks = {view.nick for view in again}
            for view in again:
                heard = {one.owner for one in view.sources if one.media == "audio"}
                assert heard == nicks - {view.nick}
            [reach] = {reach.address for reach in await probe(crowd.with_media, deadline=1)}
            assert reach == "127.0.0.1"
            kinds = [event.kind for event in crowd.participants[0].events]
            assert kinds.index(Kind.INVITED) < kinds.index(Kind.MEDIA) < kinds.index(Kind.HEARD)

    play(tmp_path, server, scene)


def test_the_presence_says_that_nothing_is_muted(tmp_path: Path) -> None:
    server = FakeMeeting()

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", nick="abcd1234", options=Options(media=MEDIA)) as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.MEDIA, deadline=5)

    play(tmp_path, server, scene)
    [presence] = [s for s in server.stanzas if s.tag.endswith("presence") and not s.get("type")]
    info = json.loads(presence.findtext("{jabber:client}SourceInfo") or "")
    assert info == {
        "abcd1234-a0": {"muted": False},
        "abcd1234-v0": {"muted": False, "videoType": "camera"},
    }
    caps = presence.find("{http://jitsi.org/protocol/caps}c") or presence.find(
        "{http://jabber.org/protocol/caps}c"
    )
    assert caps is not None and caps.get("ver") == WITH_MEDIA.ver


def test_who_takes_a_data_channel_says_so() -> None:
    sctp = "urn:xmpp:jingle:transports:dtls-sctp:1"
    assert sctp in WITH_DATA_CHANNEL.features and sctp not in WITH_MEDIA.features
    assert Options(media=MediaOptions()).caps is WITH_DATA_CHANNEL
    assert "http://jitsi.org/ssrc-rewriting-1" not in WITH_DATA_CHANNEL.features


def test_nothing_passes_although_all_is_connected(tmp_path: Path) -> None:
    server = FakeMeeting(bridge=FakeBridge(paused=True))

    async def scene(target: Target) -> None:
        async with Crowd(target, "r1", options=Options(media=MEDIA)) as crowd:
            await crowd.join(2)
            for one in crowd.participants:
                await one.wait_for(Kind.MEDIA, deadline=5)
            with pytest.raises(MediaProblem) as caught:
                await wait_media(crowd.with_media, deadline=1)
        problem = caught.value
        assert (problem.stage, problem.bridge, problem.address) == (
            MediaStage.NO_PACKETS,
            "jvb1",
            "127.0.0.1",
        )
        assert problem.port > 0
        one, two = (participant.nick for participant in crowd.participants)
        assert f"participant '{one}' got no audio of '{two}'" in problem.detail

    play(tmp_path, server, scene)


def test_a_failure_is_told_before_the_deadline(tmp_path: Path) -> None:
    server = FakeMeeting(bridge=FakeBridge(password="y" * 24))

    async def scene(target: Target) -> None:
        async with Crowd(target, "r1", options=Options(media=MEDIA)) as crowd:
            await crowd.join(2)
            began = time.monotonic()
            with pytest.raises(MediaProblem, match="wrong credentials"):
                await wait_media(crowd.with_media, deadline=60)
            assert time.monotonic() - began < 10

    play(tmp_path, server, scene)


def test_who_is_not_invited(tmp_path: Path) -> None:
    server = FakeMeeting(invite=False)

    async def scene(target: Target) -> None:
        async with Crowd(target, "r1", options=Options(media=MEDIA)) as crowd:
            await crowd.join(2)
            with pytest.raises(MediaProblem, match="was not invited within"):
                await wait_media(crowd.with_media, deadline=0.3)

    play(tmp_path, server, scene)


def test_the_channel_that_the_bridge_does_not_answer_on(tmp_path: Path) -> None:
    server = FakeMeeting(bridge=FakeBridge(sctp=True, mute_channel=True))
    options = Options(media=MediaOptions(bridges={"127.0.0.1": "jvb1"}))

    async def scene(target: Target) -> None:
        async with Crowd(target, "r1", options=options) as crowd:
            await crowd.join(1)
            with pytest.raises(MediaProblem, match="says nothing on the sctp channel") as caught:
                await wait_channel(crowd.with_media, deadline=2)
            assert (caught.value.stage, caught.value.bridge) == (MediaStage.CHANNEL, "jvb1")
            server.bridge.mute_channel = False

    play(tmp_path, server, scene)


def test_a_run_with_media_for_some(tmp_path: Path) -> None:
    server = FakeMeeting()

    async def scene(target: Target) -> None:
        options = MediaOptions(MediaKind.AUDIO, channel=ChannelKind.NONE, bridges=MEDIA.bridges)
        plan = CrowdPlan(3, 0, hold=1.0, rate=50, media=MediaPlan(2, 0, options))
        stages: list[CrowdStage] = []
        outcome = await run_crowd(
            target, "r1", plan, show=lambda stage, figures: stages.append(stage)
        )
        assert list(dict.fromkeys(stages)) == list(CrowdStage)
        media = outcome.figures.media
        assert media is not None and media.well
        assert (media.asked, media.connected, media.bridges) == (2, 2, {"jvb1": 2})
        sound = media.kinds["audio"]
        assert (sound.complete, sound.sources, sound.lost) == (2, 2, 0)
        told = outcome.figures.to_json()
        assert told["media"]["audio"]["packets"] == sound.packets > 20
        assert {"media", "first audio"} <= set(told["phases"])
        assert "video" not in told["media"]

    play(tmp_path, server, scene)
