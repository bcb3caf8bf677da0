"""Jicofo's REST interface: how to query it, and what the answers mean.

No other module knows its paths and keys (docs/facts/jicofo.md, 6 to 8).  Jicofo listens only on
the JMS's loopback, so it is queried by a command that runs there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from labctl.core.waiting import Patience
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.topology.lab import Lab
from labctl.topology.model import VNODE_DOMAIN
from labctl.topology.roles import JICOFO

[PORT] = JICOFO.waited_ports
LOG = JICOFO.error_log
STATS, DEBUG, METRICS, VERSION = "/stats", "/debug", "/metrics", "/about/version"
ANSWER_SECONDS = 5.0
COMMAND_SECONDS = 15.0
"""For the command that queries, ssh included."""

CONNECTIONS = (
    f"sudo tac {LOG} 2>/dev/null | sed '/Starting Jicofo\\.$/q' | "
    "sed -n 's/.*xmpp_connection=\\([^] ]*\\).*Registered (resumed.*/\\1/p' | sort -u"
)
"""A command that prints the XMPP connections that registered since Jicofo's start, one a line.

Only the log shows them, not REST; the names are 'client', 'service' and those of the vnodes.
"""
SEAT_LOST = (
    f"sudo tac {LOG} 2>/dev/null | sed -n '/Joined the room\\.$/q; /Starting Jicofo\\.$/q; "
    "/jvbbrewery@.*not currently connected to this chat/I { p; q }'"
)
"""A command that prints Prosody's last such answer since Jicofo joined; nothing if it has its seat.

Jicofo logs it of its health checks; of a conference it would name another room.
"""


@dataclass(frozen=True, slots=True)
class Stats:
    """`/stats`, which Jicofo computes at each request; None for what an answer does not have."""

    bridges: int | None = None
    """Bridges in the brewery; those in graceful shutdown are counted in both numbers."""
    operational: int | None = None
    lost_bridges: int | None = None
    participants_moved: int | None = None
    conferences: int | None = None
    participants: int | None = None
    """Of all conferences, visitors included; a conference that has just begun counts as one."""
    visitors: int | None = None


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge in `/debug`; None for what Jicofo does not say about it."""

    jid: str
    operational: bool = False
    drain: bool | None = None
    graceful_shutdown: bool | None = None
    shutting_down: bool | None = None
    overloaded: bool | None = None
    stress: float | None = None
    version: str | None = None
    relay_id: str | None = None
    region: str | None = None

    @property
    def nick(self) -> str:
        """Its name in the brewery."""
        return self.jid.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class BridgeSession:
    """A conference on one bridge: the session's id, and the bridges to which it relays."""

    id: str
    relays: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Conference:
    """A conference in `/debug/conference/<room>`: who is in it, and on which bridge, by endpoint.

    `count` and `visitors` are Jicofo's own numbers; participants without a bridge have no place.
    """

    count: int | None = None
    visitors: int | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    """Endpoint to the nick of its bridge."""
    visiting: frozenset[str] = frozenset()
    """The endpoints of visitors."""
    vnodes: Mapping[str, str] = field(default_factory=dict)
    """Endpoint to the name of its vnode, for visitors that have been invited to a bridge."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """`/metrics` as JSON.  Gauges are refreshed every 30 s, counters at once."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> float | None:
        """A figure by its name without `_total`, which counters have in some releases only."""
        found = self.values.get(name, self.values.get(f"{name}_total"))
        return float(found) if isinstance(found, int | float) else None


def render_get(
    path: str, *, patience: Patience, seconds: float = ANSWER_SECONDS, accept: str = ""
) -> str:
    """A shell command that prints Jicofo's answer; nothing if there is none, or not status 200."""
    wanted = f"-H {shlex.quote(f'Accept: {accept}')} " if accept else ""
    url = shlex.quote(f"http://127.0.0.1:{PORT}{path}")
    return f"curl -sf --max-time {patience.whole(seconds)} {wanted}{url}"


def render_all_operational(bridges: int, *, patience: Patience) -> str:
    """A shell command that succeeds when so many bridges are operational."""
    wanted = shlex.quote(f'"operational_bridge_count": *{bridges}[,}}]')
    return f"{{ {render_get(STATS, patience=patience)} 2>/dev/null | grep -Eq {wanted}; }}"


def render_get_metrics(patience: Patience) -> str:
    """The command for `parse_metrics`; without its header, Jicofo answers in Prometheus' format."""
    return render_get(METRICS, patience=patience, accept="application/json")


def conference_path(room_jid: str) -> str:
    """The path of one conference in Jicofo's REST interface."""
    return quote(f"{DEBUG}/conference/{room_jid}", safe="/@.")


def parse_stats(text: str) -> Stats | None:
    """The answer of `/stats`; None if Jicofo did not answer."""
    data = _object(text)
    if data is None:
        return None
    selector, failures = _part(data, "bridge_selector"), _part(data, "bridge_failures")
    return Stats(
        bridges=_number(selector.get("bridge_count")),
        operational=_number(selector.get("operational_bridge_count")),
        lost_bridges=_number(selector.get("lost_bridges")),
        participants_moved=_number(failures.get("participants_moved")),
        conferences=_number(data.get("conferences")),
        participants=_number(data.get("participants")),
        visitors=_number(data.get("visitors")),
    )


def parse_bridges(text: str) -> dict[str, Bridge]:
    """The bridges in `/debug` by nick; none if Jicofo did not answer."""
    known = _part(_part(_object(text) or {}, "bridge_selector"), "bridge")
    found = (_bridge(jid, facts) for jid, facts in known.items() if isinstance(facts, dict))
    return {bridge.nick: bridge for bridge in found}


def parse_rooms(text: str) -> dict[str, int]:
    """The conferences in `/debug`, each with its number of participants; none without an answer."""
    rooms = _part(_object(text) or {}, "focus_manager")
    return {room: count for room, value in rooms.items() if (count := _number(value)) is not None}


def parse_people(text: str) -> Conference:
    """Who is in a conference; empty for an unknown room."""
    data = _object(text) or {}
    colibri = _part(data, "colibri_session_manager")
    sessions = _part(colibri, "sessions")
    invited, placed = _part(data, "participants"), _part(colibri, "participants")
    return Conference(
        count=_number(data.get("participant_count")),
        visitors=_number(data.get("visitor_count")),
        places={
            id: nick
            for nick in sessions
            for id in _part(sessions, nick).get("participants") or ()
            if isinstance(id, str)
        },
        visiting=frozenset(id for id in placed if _part(placed, id).get("visitor") is True),
        vnodes={id: vnode for id in invited if (vnode := _vnode_of(_part(invited, id)))},
    )


def _vnode_of(participant: Mapping[str, Any]) -> str:
    """The vnode in whose room a participant is; empty for the main room, or before the invitation.

    Jicofo says no more of it than the address to which it sends Jingle.
    """
    address = _word(_part(participant, "jingle_session").get("remoteJid")) or ""
    host = address.partition("/")[0].rpartition("@")[2]
    vnode = host.removesuffix(f".{VNODE_DOMAIN}")
    return "" if vnode == host else vnode.rpartition(".")[2]


def parse_conference(text: str) -> dict[str, BridgeSession]:
    """The sessions of a conference by the bridge's nick; none for an unknown room."""
    sessions = _part(_part(_object(text) or {}, "colibri_session_manager"), "sessions")
    return {
        nick: BridgeSession(str(one.get("id", "")), frozenset(one.get("relays") or ()))
        for nick, one in sessions.items()
        if isinstance(one, dict)
    }


def parse_metrics(text: str) -> Metrics:
    """The answer of `/metrics`; without figures if it is not JSON."""
    return Metrics(_object(text) or {})


def parse_connections(lines: Iterable[str]) -> frozenset[str]:
    """The connections in the output of the command CONNECTIONS."""
    return frozenset(line.strip() for line in lines if line.strip())


def ask(lab: Lab, path: str) -> str:
    """Jicofo's answer to a GET; empty if there is none.

    Errors: LabError if the JMS itself does not answer.
    """
    script = ShellScript(render_get(path, patience=lab.patience))
    jms = lab.topology.jms.name
    return reach(lab).run(jms, script, seconds=COMMAND_SECONDS, check=False).output


def read_stats(lab: Lab) -> Stats | None:
    """Jicofo's present figures; None if it does not answer.  Errors: those of `ask`."""
    return parse_stats(ask(lab, STATS))


def read_bridges(lab: Lab) -> dict[str, Bridge]:
    """The bridges that Jicofo knows, by nick.  Errors: those of `ask`."""
    return parse_bridges(ask(lab, DEBUG))


def read_conference(lab: Lab, room_jid: str) -> dict[str, BridgeSession]:
    """The bridges of a conference, by nick.  Errors: those of `ask`."""
    return parse_conference(ask(lab, conference_path(room_jid)))


def _bridge(jid: str, facts: Mapping[str, Any]) -> Bridge:
    return Bridge(
        jid=jid,
        operational=facts.get("operational") is True,
        drain=_flag(facts.get("drain")),
        graceful_shutdown=_flag(facts.get("graceful-shutdown")),
        shutting_down=_flag(facts.get("shutting-down")),
        overloaded=_flag(facts.get("overloaded")),
        stress=_real(facts.get("stress")),
        version=_word(facts.get("version")),
        relay_id=_word(facts.get("relay-id")),
        region=_word(facts.get("region")),
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _part(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = data.get(key)
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> int | None:
    number = _real(value)
    return None if number is None else int(number)


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
