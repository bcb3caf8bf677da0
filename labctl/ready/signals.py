"""From what the nodes said to named signals: seen or not, and what was last seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labctl.model import Node, Role, Topology
from labctl.ready.probe import NodeState, expected_units


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that must be so: its name, whether it is, and what was seen."""

    name: str
    ok: bool
    seen: str


def judge(topology: Topology, states: Mapping[str, NodeState]) -> list[Signal]:
    """Every signal of the lab but the last, the invitation, which needs participants."""
    found: list[Signal] = []
    for node in topology.nodes:
        state = states[node.name]
        if state.error is not None:
            found.append(Signal(f"{node.name} answers", False, state.error))
            continue
        found += [_units(node, state), _ports(node, state)]
        if node.role is not Role.JVB:
            found.append(_modules(node, state))
    found += _jicofo(topology, states[topology.jms.name])
    return found


def _units(node: Node, state: NodeState) -> Signal:
    wrong = [
        f"{unit} is {seen.active} ({seen.sub})"
        for unit, seen in state.units.items()
        if seen.active != "active"
    ]
    wrong += [f"{unit} is unknown" for unit in expected_units(node) if unit not in state.units]
    seen = "; ".join(wrong) or f"{len(state.units)} active"
    return Signal(f"{node.name} units", not wrong, seen)


def _ports(node: Node, state: NodeState) -> Signal:
    wanted = {22}
    if node.role is Role.JMS:
        wanted |= {80, 443, 5222, 5269, 5280, 8888}
    if node.turn:
        wanted |= {5349}
    for vnode in node.vnodes:
        wanted |= {vnode.c2s_port, vnode.s2s_port, vnode.http_port}
    missing = sorted(wanted - state.ports)
    seen = f"nobody listens on {missing}" if missing else f"{len(wanted)} listen"
    return Signal(f"{node.name} ports", not missing, seen)


def _modules(node: Node, state: NodeState) -> Signal:
    failed = state.failed_modules
    return Signal(
        f"{node.name} Prosody modules", not failed, failed[0] if failed else "none failed"
    )


def _jicofo(topology: Topology, state: NodeState) -> Iterator[Signal]:
    wanted = len(topology.bridges)
    selector = (state.stats or {}).get("bridge_selector", {})
    count, operational = selector.get("bridge_count"), selector.get("operational_bridge_count")
    if state.stats is None:
        seen = "Jicofo does not answer on its port 8888"
    else:
        seen = f"{operational} of {wanted} operational, {count} in the brewery"
    yield Signal("bridges", operational == wanted, seen)
    if topology.vnodes:
        names = [vnode.name for vnode in topology.vnodes]
        missing = [name for name in names if name not in state.connections]
        seen = f"not registered: {', '.join(missing)}" if missing else f"{len(names)} registered"
        yield Signal("vnodes", not missing, seen)
