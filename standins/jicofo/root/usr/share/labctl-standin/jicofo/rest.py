"""Jicofo's REST interface on port 8888 (fact sheet, 7)."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping

from aiohttp import web
from bridges import Bridge
from conference import Conference
from confrequests import BadRequest, RequestHandler
from focus import FocusManager
from stanzas import normalise


def _json(value: object) -> web.Response:
    return web.Response(text=json.dumps(value), content_type="application/json")


class Figures:
    """Numbers for `/stats` and `/metrics`."""

    def __init__(self, focus: FocusManager) -> None:
        self.focus = focus
        self.context = focus.context

    def stats(self) -> dict[str, object]:
        """`/stats`."""
        conferences = list(self.focus.conferences.values())
        sizes = [max(1, len(one.invites.participants)) for one in conferences]
        counters = self.context.counters
        histogram = [0] * 22
        for size in sizes:
            histogram[min(size, 21)] += 1
        return {
            "conferences": len(conferences),
            "participants": sum(sizes),
            "visitors": self._visitors(conferences),
            "largest_conference": max(sizes, default=0),
            "conferences_with_visitors": sum(bool(one.visitor_rooms) for one in conferences),
            "conference_sizes": histogram,
            "endpoint_pairs": sum(size * (size - 1) for size in sizes),
            "total_participants": counters.participants,
            "total_conferences_created": counters.conferences,
            "bridge_failures": {
                "participants_moved": counters.moved,
                "bridges_removed": counters.bridges_removed,
            },
            "participant_notifications": {
                "ice_failed": counters.ice_failed,
                "request_restart": counters.restarts,
            },
            "bridge_selector": self.context.selector.stats(),
            "jingle": {"sent": counters.sent, "received": counters.received},
            "jibri": {},
            "jibri_detector": {"count": 0, "available": 0},
            "sip_jibri_detector": {"count": 0, "available": 0},
            "jigasi": {},
            "queues": {},
            "threads": threading.active_count(),
            "version": self.context.version,
        }

    @staticmethod
    def _visitors(conferences: list[Conference]) -> int:
        return sum(len(room.members) for one in conferences for room in one.visitor_rooms.values())

    def metrics(self) -> dict[str, float]:
        """`/metrics`, without the prefix."""
        conferences = list(self.focus.conferences.values())
        selector, counters = self.context.selector.stats(), self.context.counters
        sizes = [max(1, len(one.invites.participants)) for one in conferences]
        connections = (self.context.main, *self.context.vnodes.values())
        return {
            "conferences": len(conferences),
            "conferences_created_total": counters.conferences,
            "participants_total": counters.participants,
            "participants_current": sum(sizes),
            "visitors_current": self._visitors(conferences),
            "conferences_with_visitors": sum(bool(one.visitor_rooms) for one in conferences),
            "largest_conference": max(sizes, default=0),
            "participants_moved_total": counters.moved,
            "bridges_removed_total": counters.bridges_removed,
            "bridge_selector_bridge_count": selector["bridge_count"],
            "bridge_selector_bridge_count_operational": selector["operational_bridge_count"],
            "bridge_selector_bridge_count_in_shutdown": selector["in_shutdown_bridge_count"],
            "bridge_selector_lost_bridges_total": selector["lost_bridges"],
            "conference_requests_total": counters.requests,
            "conference_requests_new_total": counters.new_requests,
            "xmpp_disconnects_total": sum(one.client.disconnects for one in connections),
            "jingle_session_initiate_sent_total": counters.sent.get("SESSION_INITIATE", 0),
            "jingle_session_accept_received_total": counters.received.get("SESSION_ACCEPT", 0),
            "healthy": 1,
            "threads": threading.active_count(),
        }


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
            return _json({key.removesuffix("_total"): value for key, value in metrics.items()})
        lines = [f"jitsi_jicofo_{key} {float(value)}" for key, value in metrics.items()]
        for bridge in self.context.selector.bridges.values():
            lines.append(
                f'jitsi_jicofo_bridge_endpoints{{jvb="{bridge.nick}"}} {float(bridge.endpoints)}'
            )
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


def describe(conference: Conference) -> dict[str, object]:
    """A conference for `/debug`."""
    sessions = conference.invites.sessions.sessions.values()
    return {
        "name": conference.room_jid,
        "meeting_id": conference.meeting_id,
        "chat_room": {
            "members": {
                id: {"role": str(one.role), "region": one.region, "stats_id": one.stats_id}
                for id, one in conference.main.members.items()
            },
            "visitors_enabled": conference.metadata.visitors_enabled,
            "visitors_live": conference.metadata.live,
            "participants_soft_limit": conference.metadata.soft_limit or None,
            "lobby_enabled": conference.metadata.lobby,
        },
        "participants": {
            id: {
                "visitor": one.visitor,
                "features": sorted(one.features),
                "session": one.session.state.value if one.session else None,
            }
            for id, one in conference.invites.participants.items()
        },
        "colibri_session_manager": {
            "participants": {id: one.bridge.nick for one in sessions for id in one.endpoints},
            "sessions": {
                one.bridge.nick: {
                    "bridge": str(one.bridge),
                    "id": one.id,
                    "participants": list(one.endpoints),
                    "relays": conference.invites.sessions.mesh.linked_with(one),
                }
                for one in sessions
            },
        },
        "visitor_count": sum(len(room.members) for room in conference.visitor_rooms.values()),
        "participant_count": len(conference.main.members),
        "conference_properties": conference.properties,
    }
