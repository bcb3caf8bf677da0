"""What Jicofo says about itself: `/stats`, `/metrics`, and a conference for `/debug`."""

from __future__ import annotations

import threading

from conference import Conference
from focus import FocusManager
from participant import Participant


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
            "conferences_with_visitors": sum(bool(one.visitors.rooms) for one in conferences),
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
        return sum(len(room.members) for one in conferences for room in one.visitors.rooms.values())

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
            "conferences_with_visitors": sum(bool(one.visitors.rooms) for one in conferences),
            "largest_conference": max(sizes, default=0),
            "participants_pairs": sum(size * (size - 1) for size in sizes),
            "participants_restart_requested_total": counters.restarts,
            "participants_moved_total": counters.moved,
            "bridges_removed_total": counters.bridges_removed,
            "bridge_selector_bridge_count": selector["bridge_count"],
            "bridge_selector_bridge_count_operational": selector["operational_bridge_count"],
            "bridge_selector_bridge_count_in_shutdown": selector["in_shutdown_bridge_count"],
            "bridge_selector_bridge_version_count": selector["bridge_version_count"],
            "bridge_selector_lost_bridges_total": selector["lost_bridges"],
            "conference_requests_total": counters.requests,
            "conference_requests_new_total": counters.new_requests,
            "xmpp_disconnects_total": sum(one.client.disconnects for one in connections),
            "jingle_session_initiate_sent_total": counters.sent.get("SESSION_INITIATE", 0),
            "jingle_session_accept_received_total": counters.received.get("SESSION_ACCEPT", 0),
            "healthy": 1,
            "threads": threading.active_count(),
        }


def describe(conference: Conference) -> dict[str, object]:
    """A conference for `/debug`."""
    sessions = conference.invites.sessions.sessions.values()
    visitors = {id for id, one in conference.invites.participants.items() if one.visitor}
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
            "av_moderation": conference.moderation.describe(),
        },
        "participants": {
            id: _describe_participant(one) for id, one in conference.invites.participants.items()
        },
        "colibri_session_manager": {
            "participants": {
                id: {"id": id, "bridge": one.bridge.nick, "visitor": id in visitors}
                for one in sessions
                for id in one.endpoints
            },
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
        "visitor_count": sum(len(room.members) for room in conference.visitors.rooms.values()),
        "participant_count": len(conference.main.members),
        "conference_properties": conference.properties,
    }


def _describe_participant(one: Participant) -> dict[str, object]:
    """A participant; where it is, only the address of its Jingle session says."""
    session = one.session
    return {
        "id": one.id,
        "invite_runnable": "Not running" if one.inviting is None else "Running",
        "jingle_session": None
        if session is None
        else {
            "sid": session.sid,
            "remoteJid": one.member.occupant_jid,
            "state": session.state.name,
        },
    }
