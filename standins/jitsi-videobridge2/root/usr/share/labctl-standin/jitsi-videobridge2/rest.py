"""The bridge's HTTP servers: the private REST one and the public colibri websockets."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web
from bridge import VERSION, Bridge
from mucclient import MucClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _json(value: object) -> web.Response:
    return web.Response(text=json.dumps(value), content_type="application/json")


class Rest:
    """Handlers of the private server; a path that is disabled does not exist (404)."""

    def __init__(self, bridge: Bridge, clients: list[MucClient]) -> None:
        self._bridge = bridge
        self._clients = clients

    def app(self) -> web.Application:
        """The private server's application."""
        app = web.Application()
        parts, rest = self._bridge.config.rest.parts, self._bridge.config.rest
        routes: list[tuple[bool, str, str, Handler]] = [
            ("health" in parts, "GET", "/about/health", self._health),
            ("version" in parts, "GET", "/about/version", self._version),
            ("prometheus" in parts, "GET", "/metrics", self._metrics),
            ("debug" in parts, "GET", "/debug", self._debug),
            ("debug" in parts, "GET", "/debug/{conference}", self._debug_one),
            ("rtcstats" in parts, "GET", "/stats", self._rtcstats),
            ("drain" in parts, "GET", "/colibri/drain", self._drain),
            ("drain" in parts, "POST", "/colibri/drain/{word:enable|disable}", self._set_drain),
            (rest.colibri, "GET", "/colibri/stats", self._stats),
            (rest.colibri and rest.shutdown, "POST", "/colibri/shutdown", self._shutdown),
        ]
        for enabled, method, path, handler in routes:
            if enabled:
                app.router.add_route(method, path, handler)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        result = self._bridge.health
        if result.success:
            return web.Response(status=200)
        return web.Response(status=500 if result.hard else 503, text=result.message)

    async def _version(self, request: web.Request) -> web.Response:
        return _json({"name": "JVB", "version": VERSION, "os": "Linux"})

    async def _stats(self, request: web.Request) -> web.Response:
        return _json({**self._bridge.numbers(), **self._muc_counts()})

    def _muc_counts(self) -> dict[str, int]:
        rooms = [room for client in self._clients for room in client.rooms]
        return {
            "muc_clients_configured": len(self._clients),
            "muc_clients_connected": sum(client.client.registered for client in self._clients),
            "mucs_configured": len(rooms),
            "mucs_joined": sum(room.joined for room in rooms),
        }

    def metrics(self) -> dict[str, object]:
        """The flat metrics under the names of the original's `/metrics`."""
        bridge, totals, counts = self._bridge, self._bridge.media.totals, self._muc_counts()
        numbers = bridge.numbers()
        return {
            "stress": numbers["stress_level"],
            "drain_mode": bridge.drain,
            "conferences": numbers["conferences"],
            "conferences_created": totals.created,
            "conferences_completed": totals.completed,
            "endpoints": totals.participants,
            "local_endpoints": numbers["local_endpoints"],
            "current_visitors": numbers["visitors"],
            "ice_succeeded": totals.ice_succeeded,
            "ice_failed": totals.ice_failed,
            "bytes_received": 0,
            "healthy": bridge.health.success,
            "graceful_shutdown": numbers["graceful_shutdown"],
            "shutting_down": numbers["shutting_down"],
            "muc_clients_configured": counts["muc_clients_configured"],
            "muc_clients_connected": counts["muc_clients_connected"],
            "mucs_connected": counts["mucs_configured"],  # upstream's own misnomer
            "mucs_joined": counts["mucs_joined"],
            "xmpp_disconnects": sum(client.client.disconnects for client in self._clients),
        }

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics = self.metrics()
        if "application/json" in request.headers.get("Accept", ""):
            return _json(metrics)
        counters = ("conferences_created", "conferences_completed", "ice_succeeded", "ice_failed")
        lines = [
            f"jitsi_jvb_{name}{'_total' if name in counters else ''} {float(value)}"  # type: ignore[arg-type]
            for name, value in metrics.items()
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    async def _debug(self, request: web.Request) -> web.Response:
        bridge = self._bridge
        full = request.query.get("full") == "true"
        return _json(
            {
                "shutdown_state": bridge.state.value,
                "drain": bridge.drain,
                "time": int(time.time() * 1000),
                "load_management": {
                    "state": "NOT_OVERLOADED",
                    "stress": str(round(bridge.stress, 4)),
                    "reducer_enabled": False,
                },
                "conferences": {
                    one.id: self._conference(one.meeting_id) if full else one.name
                    for one in bridge.media.conferences.values()
                },
                "health": {
                    "success": bridge.health.success,
                    "hardFailure": bridge.health.hard,
                    "responseCode": None,
                    "message": bridge.health.message,
                },
            }
        )

    def _conference(self, meeting_id: str) -> dict[str, object]:
        one = self._bridge.media.conferences[meeting_id]
        return {
            "id": one.id,
            "name": one.name,
            "meeting_id": one.meeting_id,
            "endpoints": {
                ep.id: {"visitor": ep.visitor, "ice_connected": ep.agent.active is not None}
                for ep in one.endpoints.values()
            },
            "relays": {relay.id: sorted(relay.endpoints) for relay in one.relays.values()},
        }

    async def _debug_one(self, request: web.Request) -> web.Response:
        wanted = request.match_info["conference"]
        for one in self._bridge.media.conferences.values():
            if one.id == wanted:
                return _json(self._conference(one.meeting_id))
        return _json({})

    async def _rtcstats(self, request: web.Request) -> web.Response:
        media = self._bridge.media
        return _json({id: self._conference(id) for id in media.conferences})

    async def _drain(self, request: web.Request) -> web.Response:
        return _json({"drain": self._bridge.drain})

    async def _set_drain(self, request: web.Request) -> web.Response:
        self._bridge.set_drain(request.match_info["word"] == "enable")
        return web.Response()

    async def _shutdown(self, request: web.Request) -> web.Response:
        try:
            wanted = json.loads(await request.text())["graceful-shutdown"]
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400)
        self._bridge.shut_down(graceful=wanted is True)
        return web.Response()


class Websockets:
    """`/colibri-ws/<server-id>/<conference>/<endpoint>?pwd=` and the relays' likewise."""

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

    def _password(self, request: web.Request, *, relay: bool) -> str | None:
        for one in self._bridge.media.conferences.values():
            if one.id == request.match_info["conference"]:
                peers = one.relays if relay else one.endpoints
                peer = peers.get(request.match_info["peer"])
                return peer.agent.websocket_pwd if peer else None
        return None

    async def _serve(self, request: web.Request, *, relay: bool) -> web.StreamResponse:
        if request.match_info["server"] != self._bridge.config.websockets.server_id:
            return web.Response(status=404, text="server ID mismatch")
        password = self._password(request, relay=relay)
        if password is None or request.query.get("pwd") != password:
            return web.Response(status=403, text="authentication failed")
        socket = web.WebSocketResponse(heartbeat=15.0)
        await socket.prepare(request)
        hello = {"colibriClass": "ServerHello", "version": VERSION}
        await socket.send_str(json.dumps(hello))
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
            if '"ClientHello"' in message.data:
                await socket.send_str(json.dumps(hello))
        return socket


async def start_server(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen; raises OSError when the port is taken."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port, reuse_address=True).start()
    return runner
