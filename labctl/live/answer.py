"""What a node answered, as values; a question that left something out keeps what was known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labctl.live.loglines import parse_lines
from labctl.live.model import Traffic
from labctl.live.question import LARGE_ROOM
from labctl.node import jicofo
from labctl.node.sections import Sections
from labctl.ready.probe import NodeState, parse_probe
from labctl.report.lines import LogLine

_PID = re.compile(r"pid=(\d+)")


@dataclass(frozen=True, slots=True)
class BridgeFigures:
    """A bridge's `/metrics` (docs/facts/videobridge.md, 6); None for what it does not say."""

    stress: float | None = None
    conferences: int | None = None
    endpoints: int | None = None
    visitors: int | None = None
    healthy: bool | None = None
    draining: bool = False
    shutting_down: bool = False
    traffic: Traffic | None = None


@dataclass(frozen=True, slots=True)
class VNodeFigures:
    """The connections of a vnode: of clients, and of the main Prosody to and from it."""

    clients: int = 0
    s2s_in: int = 0
    s2s_out: int = 0


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """Everything that one node said at one time."""

    state: NodeState = field(default_factory=NodeState)
    bridge: BridgeFigures | None = None
    clients: Mapping[int, int] = field(default_factory=dict)
    """Established connections by the local port."""
    links: Mapping[int, int] = field(default_factory=dict)
    """Connections to the main Prosody's s2s port by process."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """The main process of each unit."""
    rooms: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, jicofo.Conference] = field(default_factory=dict)
    lines: tuple[LogLine, ...] = ()
    offsets: Mapping[str, int] = field(default_factory=dict)


TRAFFIC = ("incoming_packet_rate", "outgoing_packet_rate", "incoming_bitrate", "outgoing_bitrate")
"""Gauges per second of media that passes now; the counters grow only when an endpoint goes.

Source: jvb `VideobridgePeriodicMetrics.kt:56-71`.
"""


def parse_answer(sections: Sections, *, node: str, before: NodeAnswer | None) -> NodeAnswer:
    """The answer in the sections; what is asked seldom is taken from `before` if it is not there.

    Log lines are the new ones only.
    """
    state = parse_probe(sections)
    clock = next((it for it in sections if it.startswith("clock ")), "clock ")
    state = replace(state, clock=_float(clock.split()[1:2]))
    if "slow" not in sections and before is not None:
        kept = before.state
        state = replace(
            state,
            connections=kept.connections,
            stand_ins=kept.stand_ins,
            failed_modules=kept.failed_modules,
        )
    lines, offsets = parse_lines(sections, node=node)
    rooms = jicofo.parse_rooms(sections.text("debug"))
    return NodeAnswer(
        state=state,
        bridge=parse_metrics(sections.text("metrics")),
        clients=dict(_pairs(sections.lines("clients"))),
        links=_count(_PID.findall(sections.text("links"))),
        processes={name: unit.pid for name, unit in state.units.items() if unit.pid},
        rooms=rooms,
        people={
            **_kept_people(sections, rooms, before),
            **{
                room: jicofo.parse_people("\n".join(text))
                for room, text in sections.family("room").items()
            },
        },
        lines=tuple(lines),
        offsets=offsets,
    )


def _kept_people(
    sections: Sections, rooms: Mapping[str, int], before: NodeAnswer | None
) -> dict[str, jicofo.Conference]:
    """Who was in the large conferences, which are not asked for every time."""
    if before is None or "slow" in sections:
        return {}
    kept = before.people.items()
    return {room: told for room, told in kept if rooms.get(room, 0) >= LARGE_ROOM}


def parse_metrics(text: str) -> BridgeFigures | None:
    """The bridge's figures; None if it did not answer."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    found = jicofo.Metrics(data)
    rates = [found.value(name) for name in TRAFFIC]
    traffic = Traffic(*(rate for rate in rates if rate is not None)) if None not in rates else None
    return BridgeFigures(
        stress=found.value("stress"),
        conferences=_whole(found.value("conferences")),
        endpoints=_whole(found.value("local_endpoints")),
        visitors=_whole(found.value("current_visitors")),
        healthy=_flag(data, "healthy"),
        draining=_flag(data, "drain_mode") is True,
        shutting_down=_flag(data, "shutting_down") is True
        or _flag(data, "graceful_shutdown") is True,
        traffic=traffic,
    )


def _pairs(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    for line in lines:
        words = line.split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            yield int(words[0]), int(words[1])


def _count(words: Sequence[str]) -> dict[int, int]:
    numbers = [int(word) for word in words]
    return {number: numbers.count(number) for number in set(numbers)}


def _float(words: Sequence[str]) -> float | None:
    try:
        return float(words[0])
    except (ValueError, IndexError):
        return None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _flag(data: Mapping[str, Any], name: str) -> bool | None:
    """A flag, which the original writes as a truth value or as a number."""
    value = data.get(name)
    return bool(value) if isinstance(value, bool | int | float) else None
