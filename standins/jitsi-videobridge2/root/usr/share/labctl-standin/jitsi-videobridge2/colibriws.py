"""The public HTTP server: bridge channels by WebSocket.

`/colibri-ws/<server-id>/<conference>/<endpoint>?pwd=`, and `/colibri-relay-ws` likewise.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSCloseCode, WSMsgType, web
from bridge import Bridge
from channel import Channel, Way
from members import Endpoint, Relay
from messages import HELLO


class Websockets:
    """Hands sockets to the channels of those who know their password."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def app(self) -> web.Application:
        """The public server's application."""
        app = web.Application()
        path = "/{server}/{conference}/{peer}"
        if self._bridge.config.websockets.enabled:
            app.router.add_get("/colibri-ws" + path, self._endpoint)
            app.router.add_get("/colibri-relay-ws" + path, self._relay)
        return app

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, relay=False)

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, relay=True)

    def _member(self, request: web.Request, *, relay: bool) -> Endpoint | Relay | None:
        for one in self._bridge.media.conferences.values():
            if one.id == request.match_info["conference"]:
                peer = request.match_info["peer"]
                return one.relays.get(peer) if relay else one.endpoints.get(peer)
        return None

    async def _serve(self, request: web.Request, *, relay: bool) -> web.StreamResponse:
        if request.match_info["server"] != self._bridge.config.websockets.server_id:
            return web.Response(status=404, text="server ID mismatch")
        member = self._member(request, relay=relay)
        if member is None or request.query.get("pwd") != member.agent.websocket_pwd:
            return web.Response(status=403, text="authentication failed")
        socket = web.WebSocketResponse(heartbeat=15.0)
        await socket.prepare(request)
        await self._talk(socket, member.channel)
        return socket

    async def _talk(self, socket: web.WebSocketResponse, channel: Channel) -> None:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        send = queue.put_nowait
        writer = asyncio.create_task(_write(socket, queue))
        send(json.dumps(HELLO))
        channel.attach(Way.WEBSOCKET, send, close=lambda: send(None))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    channel.received(Way.WEBSOCKET, message.data)
        finally:
            channel.detach(Way.WEBSOCKET, send)
            writer.cancel()


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[str | None]) -> None:
    """Send what is queued; None closes, as for an endpoint that has gone."""
    while (text := await queue.get()) is not None:
        try:
            await socket.send_str(text)
        except ConnectionError:
            return
    await socket.close(code=WSCloseCode.GOING_AWAY, message=b"endpoint closed")
