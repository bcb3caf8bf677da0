"""From what the nodes said to a snapshot of the lab; values in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import assert_never

from labctl.lab.diagnose import Evidence, find_mistakes
from labctl.live.answer import BridgeFigures, NodeAnswer
from labctl.live.model import (
    Advice,
    LiveBridge,
    LiveConference,
    LiveNode,
    LiveVNode,
    NodeMood,
    Person,
    Present,
    Snapshot,
    Totals,
)
from labctl.live.placed import on_bridges, on_vnodes
from labctl.live.poll import Heard, slowdown
from labctl.node.jicofo import Conference
from labctl.ready.probe import NodeState
from labctl.ready.record import MediaRecord
from labctl.ready.signals import Signal, Validity, judge_signals
from labctl.report.lines import LogLine
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology

STALE_SECONDS = 8.0
"""What was heard longer ago is old, scaled by the lab's patience and a large lab's slowdown."""
MOST_CONFERENCES = 50
MOST_PEOPLE = 200
"""People of one conference that are listed."""
MOST_LINES = 200
NO_ANSWER = NodeAnswer()
NOBODY = Present()
JICOFOS = ("bridges", "vnodes")
"""The signals that only Jicofo gives: nothing is said of them while the JMS does not answer."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a lab besides its nodes' answers: when media passed, and a drill's name."""

    media: MediaRecord = field(default_factory=MediaRecord)
    drill: str = ""
    validity: Validity | None = None


def assemble(
    lab: Lab, heard: Mapping[str, Heard], *, now: float, wall: float, known: Known
) -> Snapshot:
    """The lab at `now` (monotonic clock), which is `wall` in seconds since 1970."""
    topology = lab.topology
    stale_after = lab.patience.scaled(STALE_SECONDS) * slowdown(lab)
    moods = {name: _mood(it, now=now, stale_after=stale_after) for name, it in heard.items()}
    states = {name: _state(heard[name], moods[name], now=now) for name in heard}
    complete = NodeMood.ASKED not in moods.values()
    signals = _signals(topology, states, known) if complete else ()
    missing = {signal.name: signal.seen for signal in signals if not signal.ok}
    if complete and (wrong := known.media.wrong(topology.bridges)):
        missing["media"] = wrong
    nodes = tuple(
        _node(node, heard[node.name], moods[node.name], missing=missing, now=now)
        for node in topology.nodes
    )
    jms = _answer(heard[topology.jms.name])
    stands = (name for it in heard.values() for name in _answer(it).state.stand_ins)
    return Snapshot(
        lab=topology.lab,
        at=wall,
        domain=topology.domain,
        network=str(topology.network),
        provider=str(topology.provider),
        relays=topology.spec.relays,
        healthy=complete and not missing,
        complete=complete,
        missing=missing,
        advice=tuple(_advice(lab, states, signals)),
        stand_ins=tuple(sorted(set(stands))),
        drill=known.drill,
        totals=_totals(jms),
        nodes=nodes,
        bridges=tuple(_bridges(topology, heard, moods, known.media)),
        vnodes=tuple(_vnodes(topology, heard, moods)),
        conferences=tuple(islice(_conferences(jms), MOST_CONFERENCES)),
        more_conferences=max(0, len(jms.rooms) - MOST_CONFERENCES),
        lines=_lines(heard),
    )


def _answer(heard: Heard) -> NodeAnswer:
    return heard.answer if heard.answer is not None else NO_ANSWER


def _mood(heard: Heard, *, now: float, stale_after: float) -> NodeMood:
    if heard.answer is None:
        return NodeMood.SILENT if heard.tries else NodeMood.ASKED
    if heard.error or now - heard.at > stale_after:
        return NodeMood.STALE
    return NodeMood.FINE


def _state(heard: Heard, mood: NodeMood, *, now: float) -> NodeState:
    """The node's state for the signals; one that does not answer has none."""
    match mood:
        case NodeMood.FINE | NodeMood.TROUBLED:
            return _answer(heard).state
        case NodeMood.STALE:
            why = heard.error or "no answer"
            return NodeState(error=f"{why}; last heard {now - heard.at:.0f} s ago")
        case NodeMood.SILENT | NodeMood.ASKED:
            return NodeState(error=heard.error or "not asked yet")
        case _:
            assert_never(mood)


def _signals(
    topology: Topology, states: Mapping[str, NodeState], known: Known
) -> tuple[Signal, ...]:
    """The signals of readiness, without those that nobody can know at present."""
    signals = judge_signals(topology, states, validity=known.validity)
    if states[topology.jms.name].error is None:
        return tuple(signals)
    return tuple(signal for signal in signals if signal.name not in JICOFOS)


def _advice(
    lab: Lab, states: Mapping[str, NodeState], signals: tuple[Signal, ...]
) -> Iterator[Advice]:
    """The mistakes that 'labctl doctor --lab' would name from what is known here."""
    # Clocks are left out: the answers are not all of one moment.
    calm = {name: _without_clock(state) for name, state in states.items()}
    for it in find_mistakes(lab, Evidence(states=calm, signals=signals)):
        yield Advice(it.where, it.says, it.cure, it.id.page)


def _without_clock(state: NodeState) -> NodeState:
    return NodeState(bridges=state.bridges, error=state.error)


def _node(
    node: Node, heard: Heard, mood: NodeMood, *, missing: Mapping[str, str], now: float
) -> LiveNode:
    state = _answer(heard).state
    idle = tuple(name for name, unit in state.units.items() if unit.active != "active")
    lacks = any(name.split()[0] == node.name for name in missing)
    return LiveNode(
        name=node.name,
        role=str(node.role),
        address=str(node.address),
        mood=NodeMood.TROUBLED if mood is NodeMood.FINE and (idle or lacks) else mood,
        age=None if heard.answer is None else round(max(0.0, now - heard.at), 1),
        error=heard.error,
        units={name: f"{unit.active} ({unit.sub})" for name, unit in state.units.items()},
        idle_units=idle,
        restarts=sum(unit.restarts for unit in state.units.values()),
    )


def _totals(jms: NodeAnswer) -> Totals:
    stats = jms.state.stats
    if stats is None:
        return Totals()
    return Totals(
        conferences=stats.conferences,
        participants=stats.participants,
        visitors=stats.visitors,
        moved=stats.participants_moved,
        lost_bridges=stats.lost_bridges,
    )


def _bridges(
    topology: Topology,
    heard: Mapping[str, Heard],
    moods: Mapping[str, NodeMood],
    media: MediaRecord,
) -> Iterator[LiveBridge]:
    jms = _answer(heard[topology.jms.name])
    seen, present = jms.state.bridges, on_bridges(jms.people)
    for node in topology.nodes:
        if node.bridge is None:
            continue
        own = _answer(heard[node.name]).bridge or BridgeFigures()
        told = seen.get(node.bridge)
        yield LiveBridge(
            nick=node.bridge,
            node=node.name,
            stale=moods[node.name] is not NodeMood.FINE,
            in_brewery=told is not None,
            operational=told is not None and told.operational,
            healthy=own.healthy,
            draining=own.draining or (told is not None and told.drain is True),
            shutting_down=own.shutting_down or (told is not None and told.shutting_down is True),
            stress=own.stress if own.stress is not None or told is None else told.stress,
            conferences=own.conferences,
            endpoints=own.endpoints,
            visitors=own.visitors,
            traffic=own.traffic,
            media=media.of(node.bridge),
            present=present.get(node.bridge, NOBODY),
        )


def _vnodes(
    topology: Topology, heard: Mapping[str, Heard], moods: Mapping[str, NodeMood]
) -> Iterator[LiveVNode]:
    jms = _answer(heard[topology.jms.name])
    registered, present = jms.state.connections, on_vnodes(jms.people)
    for vnode, node in topology.vnode_nodes():
        known = heard[node.name].answer is not None
        answer = _answer(heard[node.name])
        unit = answer.state.units.get(vnode.unit)
        process = answer.processes.get(vnode.unit, 0)
        yield LiveVNode(
            name=vnode.name,
            node=node.name,
            unit=vnode.unit,
            stale=moods[node.name] is not NodeMood.FINE,
            active=unit is not None and unit.active == "active",
            registered=vnode.name in registered,
            clients=answer.clients.get(vnode.http_port, 0) if known else None,
            s2s_in=answer.clients.get(vnode.s2s_port, 0) if known else None,
            s2s_out=answer.links.get(process, 0) if known else None,
            present=present.get(vnode.name, NOBODY),
        )


def _conferences(jms: NodeAnswer) -> Iterator[LiveConference]:
    """The largest first."""
    for room, count in sorted(jms.rooms.items(), key=lambda item: (-item[1], item[0])):
        yield _conference(room, count, jms.people.get(room, Conference()))


def _conference(room: str, count: int, told: Conference) -> LiveConference:
    bridges: dict[str, int] = {}
    for nick in told.places.values():
        bridges[nick] = bridges.get(nick, 0) + 1
    ids = sorted(told.places, key=lambda id: (told.places[id], id))
    people = (
        Person(id, told.places[id], id in told.visiting, told.vnodes.get(id, ""))
        for id in ids[:MOST_PEOPLE]
    )
    return LiveConference(
        room=room,
        participants=count,
        visitors=told.visitors if told.visitors is not None else len(told.visiting),
        bridges=dict(sorted(bridges.items())),
        people=tuple(people),
        left_out=max(0, len(ids) - MOST_PEOPLE),
    )


def _lines(heard: Mapping[str, Heard]) -> tuple[LogLine, ...]:
    """The newest lines of all nodes, in order of time."""
    lines = sorted((line for it in heard.values() for line in it.lines), key=lambda it: it.time)
    return tuple(lines[-MOST_LINES:])
