"""The bridge channel by data channel and by WebSocket, against a bridge on loopback."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from labctl.crowd.events import Kind
from labctl.crowd.media import ChannelKind, MediaKind, MediaStage
from labctl.crowd.target import Target
from tests.crowd.fakexmpp import DOMAIN, write_certificates
from tests.crowd.media.fakebridge import FakeBridge
from tests.crowd.media.person import OPTIONS, Person, play

pytestmark = pytest.mark.sockets

ANY = replace(OPTIONS, channel=ChannelKind.ANY)
SAID_FIRST = ["ClientHello", "ReceiverVideoConstraints", "SourceVideoTypeMessage"]


@dataclass
class Door:
    """What stands for nginx and the bridge's WebSocket behind it."""

    said: list[dict[str, object]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int | None = None

    async def handle(self, ws: ServerConnection) -> None:
        self.paths.append(ws.request.path if ws.request else "")
        async for text in ws:
            message = json.loads(text)
            self.said.append(message)
            if message["colibriClass"] == "ClientHello":
                await ws.send('{"colibriClass":"ServerHello","version":"fake"}')
                speaker = {"dominantSpeakerEndpoint": "cccc3333"}
                await ws.send(
                    json.dumps({"colibriClass": "DominantSpeakerEndpointChangeEvent", **speaker})
                )
                await ws.send(
                    json.dumps({"colibriClass": "ForwardedSources", "forwardedSources": ["x-v0"]})
                )


@asynccontextmanager
async def opened(door: Door, folder: Path) -> AsyncIterator[Target]:
    ca_file, pem = write_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    def refuse(ws: ServerConnection, request: object) -> object:
        return ws.respond(door.status, "refused\n") if door.status else None

    async with serve(
        door.handle, "127.0.0.1", 0, ssl=context, process_request=refuse, ping_interval=None
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield Target(IPv4Address("127.0.0.1"), port, DOMAIN, ca_file, prove=lambda _: None)


def test_data_channel_both_ways() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", ANY)
        endpoint = await person.invite(bridge)
        event = await person.wait(Kind.CHANNEL)
        assert event.details["line"] == "sctp"
        assert [message["colibriClass"] for message in endpoint.messages] == SAID_FIRST
        _, wanted, own = endpoint.messages
        assert (wanted["lastN"], wanted["defaultConstraints"]) == (-1, {"maxHeight": 720})
        assert own["sourceName"] == "aaaa1111-v0"
        channel = person.view().channel
        assert channel is not None and channel.received == {"ServerHello": 1}
        person.call.hang_up()
        await asyncio.sleep(0.1)  # the association says goodbye

    play(scene, FakeBridge(sctp=True))


def test_who_wants_no_pictures_says_so() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", replace(ANY, kind=MediaKind.AUDIO))
        endpoint = await person.invite(bridge)
        await person.wait(Kind.CHANNEL)
        assert [message["colibriClass"] for message in endpoint.messages] == SAID_FIRST[:2]
        assert endpoint.messages[1]["lastN"] == 0
        person.call.hang_up()
        await asyncio.sleep(0.1)

    play(scene, FakeBridge(sctp=True))


def test_a_bridge_that_says_nothing_on_the_channel() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", ANY)
        await person.invite(bridge)
        await person.wait(Kind.MEDIA)
        async with asyncio.timeout(4):
            while (channel := person.view().channel) is None or channel.opened_at is None:
                await asyncio.sleep(0.02)
        assert channel.answered_at is None
        person.call.hang_up()
        await asyncio.sleep(0.1)

    play(scene, FakeBridge(sctp=True, mute_channel=True))


def test_websocket_both_ways(tmp_path: Path) -> None:
    door = Door()

    async def scene(bridge: FakeBridge) -> None:
        async with opened(door, tmp_path) as target:
            bridge.url = f"wss://{DOMAIN}:{target.port}/colibri-ws/jvb1/c1/aaaa1111?pwd=x1"
            person = Person("aaaa1111", ANY, target=target)
            await person.invite(bridge)
            event = await person.wait(Kind.CHANNEL)
            assert event.details["line"] == "websocket"
            async with asyncio.timeout(3):
                while not person.view().channel.forwarded:  # type: ignore[union-attr]
                    await asyncio.sleep(0.02)
            channel = person.view().channel
            assert channel is not None
            assert (channel.speaker, channel.forwarded) == ("cccc3333", ("x-v0",))
            person.call.hang_up()
            await asyncio.sleep(0.1)

    play(scene, FakeBridge(sctp=True))  # where both are offered, as upstream's client
    assert door.paths == ["/colibri-ws/jvb1/c1/aaaa1111?pwd=x1"]
    assert [message["colibriClass"] for message in door.said] == SAID_FIRST


def test_a_websocket_that_is_refused(tmp_path: Path) -> None:
    async def scene(bridge: FakeBridge) -> None:
        async with opened(Door(status=404), tmp_path) as target:
            bridge.url = f"wss://{DOMAIN}:{target.port}/colibri-ws/jvb1/c1/aaaa1111?pwd=x1"
            person = Person("aaaa1111", ANY, target=target)
            await person.invite(bridge)
            event = await person.wait(Kind.MEDIA_FAILED)
            assert event.details["stage"] == MediaStage.CHANNEL
            assert event.details["bridge"] == "jvb1"
            assert "HTTP 404" in event.details["reason"]

    play(scene)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(
            "wss://elsewhere.example/colibri-ws/a/b/c?pwd=d", "elsewhere.example", id="host"
        ),
        pytest.param(f"ws://{DOMAIN}/colibri-ws/a/b/c?pwd=d", "not 'wss'", id="no TLS"),
    ],
)
def test_a_websocket_that_leads_elsewhere(url: str, words: str) -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", ANY)
        await person.invite(bridge)
        event = await person.wait(Kind.MEDIA_FAILED)
        assert event.details["stage"] == MediaStage.CHANNEL and words in event.details["reason"]

    play(scene, FakeBridge(url=url))


def test_no_channel_is_offered() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", replace(ANY, channel=ChannelKind.WEBSOCKET))
        await person.invite(bridge)
        event = await person.wait(Kind.MEDIA_FAILED)
        assert event.details["stage"] == MediaStage.CHANNEL
        assert "no channel of the kind 'websocket'" in event.details["reason"]

    play(scene, FakeBridge(sctp=True))
