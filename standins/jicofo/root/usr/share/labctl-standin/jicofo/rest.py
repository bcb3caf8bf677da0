"""Jicofo's REST interface on port 8888 (docs/facts/jicofo.md, 6 to 8)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from aiohttp import web
from authority import Refused
from bridges import Bridge
from conference import Conference
from confrequests import BadRequest, RequestHandler
from figures import Figures, describe
from focus import FocusManager
from stanzas import normalise


def _json(value: object) -> web.Response:
    return web.Response(text=json.dumps(value), content_type="application/json")


class Rest:
    """The server's handlers."""

    def __init__(self, focus: FocusManager, requests: RequestHandler) -> None:
        self.focus = focus
        self.context = focus.context
        self.requests = requests
        self.figures = Figures(focus)

    def app(self) -> web.Application:
        """The application; what does not exist is 404."""
        app = web.Application()
        app.router.add_get("/about/version", self._version)
        if self.context.config.health_enabled:
            app.router.add_get("/about/health", self._health)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/rtcstats", self._rtcstats)
        app.router.add_get("/debug", self._debug)
        app.router.add_get("/debug/conferences", self._conferences)
        app.router.add_get("/debug/conferences-full", self._conferences_full)
        app.router.add_get("/debug/conference/{room}", self._conference)
        app.router.add_get("/debug/xmpp-caps", self._caps)
        app.router.add_post("/conference-request/v1", self._request)
        app.router.add_route("OPTIONS", "/conference-request/v1", self._options)
        app.router.add_get("/move-endpoints/move-endpoint", self._move_endpoint)
        app.router.add_get("/move-endpoints/move-endpoints", self._move_endpoints)
        app.router.add_get("/move-endpoints/move-fraction", self._move_fraction)
        return app

    async def _version(self, request: web.Request) -> web.Response:
        return _json({"name": "JiCoFo", "version": self.context.version, "os": "Linux"})

    async def _health(self, request: web.Request) -> web.Response:
        counts = self.context.selector.stats()
        if counts["operational_bridge_count"] == 0:
            total = counts["bridge_count"]
            text = f"No operational bridges available (total bridge count: {total})"
            return web.Response(status=500, text=text)
        return web.Response(text="OK")

    async def _stats(self, request: web.Request) -> web.Response:
        return _json(self.figures.stats())

    async def _metrics(self, request: web.Request) -> web.Response:
        metrics = self.figures.metrics()
        if "application/json" in request.headers.get("Accept", ""):
            return _json({**metrics, "version": self.context.version})
        lines = [f"jitsi_jicofo_{key} {float(value)}" for key, value in metrics.items()]
        for bridge in self.context.selector.bridges.values():
            lines.append(
                f'jitsi_jicofo_bridge_endpoints{{jvb="{bridge.nick}"}} {float(bridge.endpoints)}'
            )
            # Upstream judges a bridge by how many participants report ICE failures; we do not.
            lines.append(f'jitsi_jicofo_bridge_failing_ice{{jvb="{bridge.nick}"}} 0.0')
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    # -- debug ---------------------------------------------------------------------------------

    async def _debug(self, request: web.Request) -> web.Response:
        full = request.query.get("full") == "true"
        return _json(
            {
                "focus_manager": {
                    jid: describe(one) if full else len(one.invites.participants)
                    for jid, one in self.focus.conferences.items()
                },
                "bridge_selector": self.context.selector.debug(),
                "conference_iq_handler": {},
                "av_moderation": {},
            }
        )

    async def _conferences(self, request: web.Request) -> web.Response:
        return _json(list(self.focus.conferences))

    async def _conferences_full(self, request: web.Request) -> web.Response:
        return _json({jid: describe(one) for jid, one in self.focus.conferences.items()})

    async def _conference(self, request: web.Request) -> web.Response:
        found = self.focus.conferences.get(normalise(request.match_info["room"]))
        return _json(describe(found) if found else {})

    async def _rtcstats(self, request: web.Request) -> web.Response:
        return _json({one.meeting_id: describe(one) for one in self.focus.conferences.values()})

    async def _caps(self, request: web.Request) -> web.Response:
        return _json(self.context.features.debug())

    # -- conference request --------------------------------------------------------------------

    async def _options(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _request(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "")
        token = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else None
        try:
            return _json(await self.requests.answer_http(await request.read(), token))
        except BadRequest as error:
            return web.Response(status=400, text=f"Bad request: {error}")
        except Refused as error:
            if error.condition == "not-authorized":
                return web.Response(status=403)
            return web.Response(status=400, text="Bad request: invalid-session")
        except Exception as error:
            return web.Response(status=400, text=f"Bad request: {error!r}")

    # -- moving --------------------------------------------------------------------------------

    def _bridge(self, request: web.Request) -> Bridge:
        name = request.query.get("bridge")
        if not name:
            raise web.HTTPBadRequest(text="Bridge not specified")
        for bridge in self.context.selector.bridges.values():
            if name in (bridge.jid, bridge.nick):
                return bridge
        raise web.HTTPInternalServerError(text=f"Not found: bridge {name}")

    def _room(self, request: web.Request) -> Conference:
        name = request.query.get("conference")
        if not name:
            raise web.HTTPBadRequest(text="Conference not specified")
        found = self.focus.conferences.get(normalise(name))
        if found is None:
            raise web.HTTPInternalServerError(text=f"Not found: conference {name}")
        return found

    def _move(self, wanted: Mapping[Conference, list[str]]) -> web.Response:
        moved = {one: ids for one, ids in wanted.items() if ids}
        for conference, ids in moved.items():
            conference.invites.reinvite(ids)
        count = sum(len(ids) for ids in moved.values())
        return _json({"movedEndpoints": count, "conferences": len(moved)})

    async def _move_endpoint(self, request: web.Request) -> web.Response:
        conference, id = self._room(request), request.query.get("endpoint")
        if not id:
            raise web.HTTPBadRequest(text="Endpoint not specified")
        known = [id] if id in conference.invites.participants else []
        return self._move({conference: known})

    def _on(self, bridge: Bridge, conference: Conference) -> list[str]:
        session = conference.invites.sessions.sessions.get(bridge.jid)
        return list(session.endpoints) if session else []

    async def _move_endpoints(self, request: web.Request) -> web.Response:
        bridge, count = self._bridge(request), int(request.query.get("numEndpoints", "1"))
        rooms = list(self.focus.conferences.values())
        if "conference" in request.query:
            rooms = [self._room(request)]
        return self._move(self._take(bridge, rooms, count))

    async def _move_fraction(self, request: web.Request) -> web.Response:
        bridge, fraction = self._bridge(request), float(request.query.get("fraction", "0.1"))
        count = math.ceil(bridge.endpoints * fraction)
        return self._move(self._take(bridge, list(self.focus.conferences.values()), count))

    def _take(
        self, bridge: Bridge, rooms: list[Conference], count: int
    ) -> dict[Conference, list[str]]:
        wanted: dict[Conference, list[str]] = {}
        for conference in rooms:
            ids = self._on(bridge, conference)[:count]
            wanted[conference] = ids
            count -= len(ids)
        return wanted
