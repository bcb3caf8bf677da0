"""The same server over HTTP: BOSH and conference requests, on loopback, with some misbehaviour."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

from aiohttp import web

from labctl.crowd import Target
from tests.crowd.fakexmpp import DOMAIN, FakeXmpp, write_certificates

BODY = "{http://jabber.org/protocol/httpbind}body"
RESTART = "{urn:xmpp:xbosh}restart"
HELD = 5.0


class Session:
    """One BOSH session; it takes the place of the fake server's WebSocket."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._more = asyncio.Event()
        self._held: asyncio.Event | None = None

    async def send(self, text: str) -> None:
        if not text.startswith("<open"):
            self._out.append(text)
            self._more.set()

    def release(self) -> None:
        """Answer the request that is held."""
        if self._held is not None:
            self._held.set()

    async def answer(self) -> list[str]:
        """What there is to say; a request without an answer is held until the next one comes."""
        self.release()
        mine = self._held = asyncio.Event()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._more, mine)]
        await asyncio.wait(waits, timeout=HELD, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        found, self._out = self._out, []
        self._more.clear()
        return found


@dataclass
class FakeWeb:
    """nginx, as far as a participant without WebSockets sees it."""

    xmpp: FakeXmpp
    status: int = 200
    terminate: str = ""
    """Condition with which the server ends every session at its third request."""
    requests: list[str] = field(default_factory=list)
    rids: list[int] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    _session: Session = field(default_factory=Session)

    async def bosh(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        body = ElementTree.fromstring(await request.text())
        assert body.tag == BODY
        self.rids.append(int(body.get("rid", "")))
        self.requests.append(body.get("type") or ("restart" if body.get(RESTART) else "stanzas"))
        if self.terminate and len(self.rids) == 3:
            self._session.release()
            return self._answer(f" type='terminate' condition='{self.terminate}'")
        if body.get("sid") is None:
            self.requests[-1] = f"begin {body.get('to')}"
            await self.xmpp.on_open(cast(Any, self._session), body)
        elif body.get(RESTART):
            await self.xmpp.on_open(cast(Any, self._session), body)
        for stanza in body:
            self.xmpp.stanzas.append(stanza)
            await self.xmpp.answer(cast(Any, self._session), stanza)
        if body.get("type") == "terminate":
            self._session.release()
            return self._answer(" type='terminate'")
        return self._answer("", *await self._session.answer())

    def _answer(self, attributes: str, *stanzas: str) -> web.Response:
        text = (
            f"<body xmlns='http://jabber.org/protocol/httpbind' sid='s'{attributes}>"
            f"{''.join(stanzas)}</body>"
        )
        return web.Response(status=self.status, text=text, content_type="text/xml")

    async def conference(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        self.asked.append(json.loads(await request.text()))
        if self.status != 200:
            return web.Response(status=self.status, text="no")
        ready = len(self.asked) > self.xmpp.not_ready
        answer = {"ready": ready, "focusJid": "focus@auth", "room": self.asked[-1]["room"]}
        return web.json_response(answer | ({"vnode": self.xmpp.vnode} if self.xmpp.vnode else {}))


@asynccontextmanager
async def serving(server: FakeWeb, folder: Path) -> AsyncIterator[Target]:
    """The server on a free port of loopback, and the target that leads to it."""
    ca_file, pem = write_certificates(folder / "web")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    app = web.Application()
    app.router.add_post("/{tenant:.*}http-bind", server.bosh)
    app.router.add_post("/{tenant:.*}conference-request/v1", server.conference)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        assert site._server is not None
        port = cast(Any, site._server).sockets[0].getsockname()[1]
        yield Target(IPv4Address("127.0.0.1"), port, DOMAIN, ca_file, prove=lambda _: None)
    finally:
        await runner.cleanup()
