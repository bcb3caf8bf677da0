"""Conferences that are placed on a bridge of one's own choice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from labctl.crowd import CrowdError, StanzaError, Target
from labctl.crowd.admission import Account
from labctl.crowd.brewery import Brewery
from labctl.crowd.media import ChannelKind, MediaKind, MediaOptions, MediaProblem, MediaStage
from labctl.crowd.media.colibri import parse_created, render_create, render_offer
from labctl.crowd.media.offer import parse_media
from labctl.crowd.media.placed import Placed
from labctl.crowd.media.waits import probe, wait_channel, wait_media
from labctl.crowd.xml import parse_stanza
from tests.crowd.media.fakebrewery import ACCOUNT, FakeBrewery, brewing
from tests.crowd.media.fakebridge import FakeBridge

pytestmark = pytest.mark.sockets

SOUND = MediaOptions(MediaKind.AUDIO, channel=ChannelKind.NONE, connect_within=2.0)


def play(
    folder: Path, server: FakeBrewery, scene: Callable[[Target, Brewery], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(20),
            brewing(server, folder) as target,
            Brewery(target, ACCOUNT) as brewery,
        ):
            await scene(target, brewery)

    asyncio.run(main())


async def refused(placed: Placed) -> MediaProblem:
    try:
        with pytest.raises(MediaProblem) as caught:
            await placed.begin()
            await wait_media(placed.people, deadline=3)
    finally:
        placed.end()
    return caught.value


def test_sound_and_picture_through_the_chosen_bridge(tmp_path: Path) -> None:
    server = FakeBrewery(bridges={"jvb": FakeBridge(), "jvb1": FakeBridge(sctp=True)})

    async def scene(target: Target, brewery: Brewery) -> None:
        assert brewery.nicks == {"jvb", "jvb1", "focus"}
        placed = Placed(target, brewery, "jvb1", options=[MediaOptions(connect_within=5)] * 2)
        await placed.begin()
        views = await wait_media(placed.people, media=("audio", "video"), deadline=8)
        await wait_channel(placed.people, deadline=5)
        nicks = {view.nick for view in views}
        for view in views:
            assert view.bridge == "jvb1"
            assert {one.owner for one in view.sources} == nicks - {view.nick}
        placed.end()
        while not any("expire" in words for _, words in server.asked):
            await asyncio.sleep(0.02)

    play(tmp_path, server, scene)
    assert {nick for nick, _ in server.asked} == {"jvb1"}
    assert server.bridges["jvb"].endpoints == {}


def test_all_bridges_at_once(tmp_path: Path) -> None:
    server = FakeBrewery(bridges={f"jvb{n}": FakeBridge() for n in range(3)})

    async def scene(target: Target, brewery: Brewery) -> None:
        every = [Placed(target, brewery, nick, options=[SOUND, SOUND]) for nick in server.bridges]
        await asyncio.gather(*(placed.begin() for placed in every))
        for placed in every:
            views = await wait_media(placed.people, deadline=5)
            assert {view.bridge for view in views} == {placed.bridge}
            [reach] = await probe(placed.people[:1], deadline=1)
            assert reach.reachable
            placed.end()

    play(tmp_path, server, scene)


@pytest.mark.parametrize(
    ("server", "stage", "said"),
    [
        pytest.param(FakeBrewery(), MediaStage.OFFER, "not in the brewery", id="absent"),
        pytest.param(
            FakeBrewery(bridges={"jvb1": FakeBridge()}, refusing={"jvb1"}),
            MediaStage.OFFER,
            "'service-unavailable'",
            id="refused",
        ),
        pytest.param(
            FakeBrewery(bridges={"jvb1": FakeBridge(candidates=[("127.0.0.1", 9, "udp")])}),
            MediaStage.NO_ANSWER,
            "127.0.0.1:9",
            id="wrong port",
        ),
        pytest.param(
            FakeBrewery(bridges={"jvb1": FakeBridge(password="x" * 22)}),
            MediaStage.WRONG_CREDENTIALS,
            "127.0.0.1",
            id="credentials",
        ),
        pytest.param(
            FakeBrewery(bridges={"jvb1": FakeBridge(deaf_dtls=True)}),
            MediaStage.DTLS,
            "127.0.0.1",
            id="DTLS",
        ),
        pytest.param(
            FakeBrewery(bridges={"jvb1": FakeBridge(paused=True)}),
            MediaStage.NO_PACKETS,
            "127.0.0.1",
            id="packets",
        ),
    ],
)
def test_what_fails_names_the_bridge(
    tmp_path: Path, server: FakeBrewery, stage: MediaStage, said: str
) -> None:
    async def scene(target: Target, brewery: Brewery) -> None:
        problem = await refused(Placed(target, brewery, "jvb1", options=[SOUND, SOUND]))
        assert (problem.stage, problem.bridge) == (stage, "jvb1")
        assert "bridge 'jvb1'" in problem.message
        assert said in problem.message

    play(tmp_path, server, scene)


def test_a_bridge_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.crowd.media.placed.ANSWER_SECONDS", 0.2)
    server = FakeBrewery(bridges={"jvb1": FakeBridge()}, silent={"jvb1"})

    async def scene(target: Target, brewery: Brewery) -> None:
        problem = await refused(Placed(target, brewery, "jvb1", options=[SOUND, SOUND]))
        assert problem.message.endswith(
            "does not answer the request for a conference within 0.2 s."
        )

    play(tmp_path, server, scene)


def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with brewing(FakeBrewery(), tmp_path) as target:
            with pytest.raises(StanzaError, match="not-authorized"):
                async with Brewery(target, Account("jvb", "wrong")):
                    pass

    asyncio.run(main())


def test_a_brewery_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.crowd.brewery.ENTER_SECONDS", 0.3)

    async def main() -> None:
        async with brewing(FakeBrewery(script={"presence": "silent"}), tmp_path) as target:
            with pytest.raises(CrowdError, match="could not be joined within"):
                async with Brewery(target, ACCOUNT):
                    pass

    asyncio.run(main())


def test_a_password_is_in_no_text() -> None:
    assert "secret" not in repr(ACCOUNT)


def test_the_offer_is_what_participants_understand() -> None:
    answer = parse_stanza(
        "<iq xmlns='jabber:client' type='result'><conference-modified xmlns='jitsi:colibri2'>"
        "<endpoint id='a1'><transport><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' "
        "ufrag='u' pwd='p'><rtcp-mux/><candidate ip='192.0.2.7' port='10000' protocol='udp' "
        "type='host' component='1'/></transport><sctp port='5000' role='server'/></transport>"
        "</endpoint></conference-modified></iq>"
    )
    created = parse_created(answer, "a1")
    offer = parse_media(
        parse_stanza(render_offer(created, bridge="jvb1", media=("audio", "video")))
    )
    assert [one.media for one in offer.contents] == ["audio", "video"]
    assert (offer.data, offer.transport.sctp_port) == ("data", 5000)
    assert [(one.address, one.port) for one in offer.transport.candidates] == [("192.0.2.7", 10000)]


def test_only_the_first_endpoint_brings_a_conference() -> None:
    texts = [
        render_create("m", "a1", media=("audio",), sctp=False, first=first)
        for first in (True, False)
    ]
    assert [parse_stanza(text).get("create") for text in texts] == ["true", None]
    assert "sctp" not in texts[0]
