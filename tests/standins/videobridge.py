"""The stand-in bridge within the test's process, on loopback, asked as Jicofo asks it."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from tests.standins import paths  # noqa: F401
from tests.standins.mediapeer import Peer

import bridge as bridge_module  # isort: skip
import colibri  # isort: skip
import colibriws  # isort: skip
import hocon  # isort: skip
import jitsilog  # isort: skip
import jvbconfig  # isort: skip
import sources as jicofo_sources  # isort: skip
import stanzas  # isort: skip

SHARD: hocon.Json = {"HOSTNAME": "10.0.0.1", "DOMAIN": "auth.m", "USERNAME": "jvb",
                     "PASSWORD": "p", "MUC_JIDS": "b@i", "MUC_NICKNAME": "jvb1"}  # fmt: skip
MEETING = colibri.Meeting("7a1c-meeting", "r@c")
FEATURES = frozenset({"AUDIO", "VIDEO", "TCC", "RTX"})


def free_port(kind: socket.SocketKind) -> int:
    """A port below those that the kernel gives to whoever connects somewhere in the meantime."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Member:
    """A participant on the bridge, and the transport that the bridge gave it."""

    peer: Peer
    transport: stanzas.Element
    bridge_sources: jicofo_sources.SourceSet

    @property
    def websocket(self) -> str:
        (element,) = self.transport.iter("{http://jitsi.org/protocol/colibri}web-socket")
        return element.get("url", "")


class Bridge:
    """A running bridge and Jicofo's side of it."""

    def __init__(self, name: str = "jvb1", meeting: colibri.Meeting = MEETING) -> None:
        self.port, self.web_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        config: hocon.Json = {
            "apis": {"xmpp-client": {"configs": {"shard": SHARD}}},
            "ice": {"udp": {"port": self.port}},
            "websockets": {"enabled": True, "server-id": name,
                           "domain": f"127.0.0.1:{self.web_port}"},
            "relay": {"enabled": True, "relay-id": name},
        }  # fmt: skip
        parsed = jvbconfig.parse_config(hocon.Config({"videobridge": config}), {})
        read, bridge_module.read_addresses = bridge_module.read_addresses, lambda: ["127.0.0.1"]
        try:
            self.bridge = bridge_module.Bridge(parsed, jitsilog.Journal())
        finally:
            bridge_module.read_addresses = read
        self.name = name
        self.meeting = meeting
        self.created = False
        self.members: list[Member] = []

    @property
    def conference(self):  # type: ignore[no-untyped-def]
        return self.bridge.media.conferences[self.meeting.meeting_id]

    def in_meeting(self, meeting: colibri.Meeting) -> Bridge:
        """The same bridge, asked for another meeting; its members close with this one's."""
        other = copy.copy(self)
        other.meeting, other.created = meeting, False
        return other

    def ask(self, *children: stanzas.Element, create: bool = False) -> stanzas.Element:
        request = colibri.modify("b@i/j", self.meeting, *children, create=create)
        request.set("from", "b@i/focus")
        return self.bridge.colibri.handle(request, request[0])

    def allocate(
        self, id: str, *, features: frozenset[str] = FEATURES, visitor: bool = False,
        sctp: bool = False,
    ) -> Member:  # fmt: skip
        """An endpoint as Jicofo creates it."""
        offer = colibri.EndpointOffer(id, None, features, visitor, sctp)
        answer = self.ask(colibri.create_endpoint(offer), create=not self.created)
        self.created = True
        found = colibri.parse_allocation(answer, id, sctp=sctp)
        member = Member(Peer(id), found.transport, found.bridge_sources)
        self.members.append(member)
        return member

    def set_sources(self, id: str, *sources: jicofo_sources.Source,
                    groups: tuple[jicofo_sources.Group, ...] = ()) -> None:  # fmt: skip
        found = jicofo_sources.SourceSet(sources, groups)
        assert self.ask(colibri.update_endpoint(id, sources=found)).get("type") == "result"

    async def join(
        self, id: str, *sources: jicofo_sources.Source, features: frozenset[str] = FEATURES,
        groups: tuple[jicofo_sources.Group, ...] = (), visitor: bool = False, sctp: bool = False,
        fingerprint: str | None = None,
    ) -> Member:  # fmt: skip
        """A participant that is connected, with what it sends."""
        member = self.allocate(id, features=features, visitor=visitor, sctp=sctp)
        ours = await member.peer.describe(fingerprint=fingerprint)
        answer = self.ask(
            colibri.update_endpoint(
                id, transport=ours,
                sources=None if visitor else jicofo_sources.SourceSet(sources, groups),
            )
        )  # fmt: skip
        assert answer.get("type") == "result"
        await asyncio.wait_for(member.peer.connect(member.transport), 10)
        return member


@asynccontextmanager
async def running(*names: str) -> AsyncIterator[list[Bridge]]:
    """Bridges, one of each name, in one meeting."""
    bridges = [Bridge(name) for name in names or ("jvb1",)]
    runners, clocks = [], []
    for one in bridges:
        await one.bridge.media.ice.listen(["127.0.0.1"], one.port)
        one.bridge.udp_bound = True
        runner = web.AppRunner(colibriws.Websockets(one.bridge).app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", one.web_port).start()
        runners.append(runner)
        clocks.append(asyncio.create_task(one.bridge.tick_forever()))
    try:
        yield bridges
    finally:
        for one, runner, clock in zip(bridges, runners, clocks, strict=True):
            clock.cancel()
            for member in one.members:
                await member.peer.close()
            for conference in list(one.bridge.media.conferences.values()):
                one.bridge.media.expire(conference)
            one.bridge.media.ice.close()
            await runner.cleanup()


class BridgeChannel:
    """A client's end of the WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, **message: object) -> None:
        await self._socket.send_str(json.dumps(message))

    async def hear(self, kind: str, seconds: float = 5) -> dict[str, object]:
        """The next message of a kind."""
        async with asyncio.timeout(seconds):
            while True:
                text = await self._socket.receive_str()
                message: dict[str, object] = json.loads(text)
                if message["colibriClass"] == kind:
                    return message


@asynccontextmanager
async def websocket(member: Member) -> AsyncIterator[BridgeChannel]:
    async with aiohttp.ClientSession() as session, session.ws_connect(member.websocket) as socket:
        yield BridgeChannel(socket)
