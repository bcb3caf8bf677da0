"""A meeting whose bridges can be asked for conferences from inside the brewery."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from websockets.asyncio.server import ServerConnection

from labctl.crowd import Target
from labctl.crowd.admission import Account
from tests.crowd.fakexmpp import DOMAIN, running
from tests.crowd.media.fakebridge import ICE, SSMA, Endpoint, FakeBridge, bridging
from tests.crowd.media.fakemeeting import FakeMeeting

COLIBRI2 = "jitsi:colibri2"
ROOM = f"jvbbrewery@internal.auth.{DOMAIN}"
ACCOUNT = Account("jvb", "secret")


@dataclass
class FakeBrewery(FakeMeeting):
    """Bridges by nick; `refusing` answer with an error, `silent` not at all."""

    bridges: dict[str, FakeBridge] = field(default_factory=dict)
    refusing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Bridge, and what of a conference it was asked."""

    async def on_auth(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        words = stanza.text or ""
        if stanza.get("mechanism") == "PLAIN" and words not in ACCOUNT.auth:
            failure = "urn:ietf:params:xml:ns:xmpp-sasl"
            await ws.send(f"<failure xmlns='{failure}'><not-authorized/></failure>")
            return
        await super().on_auth(ws, stanza)

    async def on_presence(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        room, _, nick = stanza.get("to", "").partition("/")
        if room != ROOM:
            await super().on_presence(ws, stanza)
            return
        for other in (*self.bridges, "focus"):
            await ws.send(self.presence(room, other))
        await ws.send(self.presence(room, nick, own=True))

    async def answer(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        if self.stage(stanza) == "conference-modify":
            await self.on_colibri(ws, stanza, stanza.get("to", "").partition("/")[2])
        else:
            await super().answer(ws, stanza)

    async def on_colibri(
        self, ws: ServerConnection, stanza: ElementTree.Element, nick: str
    ) -> None:
        assert stanza.get("type") == "get"
        modify = stanza[0]
        endpoint = modify.find(f"{{{COLIBRI2}}}endpoint")
        self.asked.append((nick, " ".join(sorted(set(modify.attrib) - {"meeting-id"}))))
        if nick in self.silent:
            return
        if nick in self.refusing:
            await self.misbehave(ws, stanza, "error:service-unavailable")
        elif endpoint is None:
            await self.reply(ws, stanza, f"<conference-modified xmlns='{COLIBRI2}'/>")
        elif endpoint.get("create") == "true":
            made = await self.bridges[nick].endpoint(endpoint.get("id", ""))
            sctp = "<sctp port='5000' role='server'/>" if self.bridges[nick].sctp else ""
            told = f"<transport>{made.transport()}{sctp}</transport>"
            told = f"<endpoint id='{made.nick}'>{told}</endpoint>"
            await self.reply(
                ws, stanza, f"<conference-modified xmlns='{COLIBRI2}'>{told}</conference-modified>"
            )
        else:
            self.connect(self.bridges[nick].endpoints[endpoint.get("id", "")], endpoint)
            await self.reply(ws, stanza, f"<conference-modified xmlns='{COLIBRI2}'/>")

    def connect(self, endpoint: Endpoint, update: ElementTree.Element) -> None:
        """The update has the participant's transport and its sources."""
        assert update.find(f".//{{{ICE}}}transport") is not None
        for one in update.iter(f"{{{COLIBRI2}}}media-source"):
            source = one.find(f"{{{SSMA}}}source")
            assert source is not None
            assert (
                source.get("name") == one.get("id") == f"{endpoint.nick}-{one.get('type', '')[0]}0"
            )
            endpoint.ssrcs[one.get("type", "")] = int(source.get("ssrc", "0"))
        endpoint.connect_to(update)


@asynccontextmanager
async def brewing(server: FakeBrewery, folder: Path) -> AsyncIterator[Target]:
    """The server with all its bridges, and the target that leads to it."""
    async with AsyncExitStack() as stack:
        for bridge in (server.bridge, *server.bridges.values()):
            await stack.enter_async_context(bridging(bridge))
        yield await stack.enter_async_context(running(server, folder))
