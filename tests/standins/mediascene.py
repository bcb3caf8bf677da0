"""Words that the tests of the stand-in bridge's media share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.standins.mediapeer import Peer, render_rtp

import rtcp  # isort: skip
from sources import Source  # isort: skip

A_AUDIO, A_VIDEO, B_AUDIO = 1111, 2222, 3333
KEY, DELTA = b"\x10\x00picture", b"\x10\x01picture"
VP8, OPUS = 100, 111
EVERYTHING = {"lastN": -1, "defaultConstraints": {"maxHeight": 2160}}


def audio(id: str, ssrc: int) -> Source:
    return Source(ssrc, "audio", f"{id}-a0")


def video(id: str, ssrc: int) -> Source:
    return Source(ssrc, "video", f"{id}-v0", "ms track")


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await scene()

    asyncio.run(limited())


async def speak(peer: Peer, ssrc: int, count: int, *, level: int = 20) -> None:
    for number in range(count):
        await peer.send(render_rtp(ssrc, number, b"opus", pt=OPUS, extensions={1: bytes([level])}))
        await asyncio.sleep(0.002)


def heard(peer: Peer, ssrc: int) -> list[int]:
    return [packet.sequence for packet in peer.packets if packet.ssrc == ssrc]


def requests(peer: Peer) -> list[rtcp.Rtcp]:
    return [one for one in peer.reports if (one.kind, one.count) == (rtcp.PSFB, rtcp.PLI)]
