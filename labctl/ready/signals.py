"""From what the nodes said to named signals: seen or not, and what was last seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from labctl.node.jicofo import PORT
from labctl.ready.probe import NodeState, expected_units
from labctl.topology.model import Node, Topology
from labctl.topology.roles import prosody_units, units_of
from labctl.topology.workdir import Workdir

SEAT = "Jicofo seat"
"""The signal that is missing where Prosody has lost Jicofo from the brewery."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A condition of readiness: its name, whether it holds, and what was seen."""

    name: str
    ok: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when the lab's certificates are valid, in seconds since 1970."""

    begins: float
    ends: float

    @classmethod
    def of(cls, folder: Workdir) -> Validity | None:
        """That of the lab's CA, which is the oldest; None if it cannot be read."""
        try:
            found = x509.load_pem_x509_certificate((folder.ca / "ca.crt").read_bytes())
        except (OSError, ValueError):
            return None
        return cls(found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp())


def judge_signals(
    topology: Topology, states: Mapping[str, NodeState], *, validity: Validity | None = None
) -> list[Signal]:
    """Every signal of the lab but the last, media, which needs participants."""
    found: list[Signal] = []
    for node in topology.nodes:
        state = states[node.name]
        if state.error is not None:
            found.append(Signal(f"{node.name} answers", False, state.error))
            continue
        found += [*_conditions(node, state, validity), _units(node, state), _ports(node, state)]
        if prosody_units(node):
            found.append(_modules(node, state))
    found += _jicofo(topology, states[topology.jms.name])
    return found


def _conditions(node: Node, state: NodeState, validity: Validity | None) -> Iterator[Signal]:
    """What every program on a node needs; reported only if it is missing."""
    if state.starved:
        seen = (
            "its kernel has no entropy yet, so nothing there can make a key for TLS or DTLS; "
            "a virtual machine gets it from a virtio-rng device"
        )
        yield Signal(f"{node.name} entropy", False, seen)
    if state.clock is None or validity is None:
        return
    if state.clock < validity.begins:
        wrong = f"not valid yet, until {_shown(validity.begins)}"
    elif state.clock > validity.ends:
        wrong = f"no longer valid, since {_shown(validity.ends)}"
    else:
        return
    seen = f"it says {_shown(state.clock)}; by that clock the lab's certificates are {wrong}"
    yield Signal(f"{node.name} clock", False, seen)


def _shown(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


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
    wanted = {port for unit in units_of(node) for port in unit.signal_ports}
    missing = sorted(wanted - state.ports)
    seen = f"nothing listens on {missing}" if missing else f"{len(wanted)} listen"
    return Signal(f"{node.name} ports", not missing, seen)


def _modules(node: Node, state: NodeState) -> Signal:
    failed = state.failed_modules
    return Signal(
        f"{node.name} Prosody modules", not failed, failed[0] if failed else "none failed"
    )


def _jicofo(topology: Topology, state: NodeState) -> Iterator[Signal]:
    if state.seat_lost:
        lost = "Prosody has lost it from the brewery, and only a restart of Jicofo ends that"
        yield Signal(SEAT, False, lost)
    wanted = len(topology.bridges)
    stats = state.stats
    if stats is None:
        seen = f"Jicofo does not answer on its port {PORT}"
    else:
        seen = f"{stats.operational} of {wanted} operational, {stats.bridges} in the brewery"
    yield Signal("bridges", stats is not None and stats.operational == wanted, seen)
    if topology.vnodes:
        names = [vnode.name for vnode in topology.vnodes]
        missing = [name for name in names if name not in state.connections]
        seen = f"not registered: {', '.join(missing)}" if missing else f"{len(names)} registered"
        yield Signal("vnodes", not missing, seen)
