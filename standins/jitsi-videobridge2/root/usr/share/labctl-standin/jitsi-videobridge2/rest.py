"""The bridge's private HTTP server: REST."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from bridge import VERSION, Bridge
from members import Endpoint
from metrics import muc_counts, read_metrics, render_metrics
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
        return _json({**self._bridge.numbers(), **muc_counts(self._clients)})

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics = read_metrics(self._bridge, self._clients)
        if "application/json" in request.headers.get("Accept", ""):
            return _json(metrics)
        return web.Response(text=render_metrics(metrics), content_type="text/plain")

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
            "endpoints": {ep.id: describe_endpoint(ep) for ep in one.endpoints.values()},
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


def describe_endpoint(endpoint: Endpoint) -> dict[str, object]:
    """An endpoint for `/debug`."""
    transport = endpoint.transport
    return {
        "visitor": endpoint.visitor,
        "ice_connected": endpoint.agent.selected is not None,
        "dtls_connected": transport.ready,
        "message_transport_connected": endpoint.channel.connected,
        "ssrc_rewriting": endpoint.receiver.rewriting,
        "packets_received": transport.received.packets,
        "packets_sent": transport.sent.packets,
        "forwarded_sources": list(endpoint.receiver.heights),
    }


async def start_server(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Listen; raises OSError when the port is taken."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port, reuse_address=True).start()
    return runner
