"""Who opens which connection, from the table of roles and the firewall.  Pure data, no I/O.

'labctl graph' draws these, and 'labctl capture' makes its filters of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.topology.model import Node, Topology
from labctl.topology.ports import exists, reachable
from labctl.topology.roles import units_of
from labctl.topology.units import OUTSIDE, Port, PortOrigin, Talk, UnitFacts, Use


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: a unit on a node."""

    node: Node
    unit: UnitFacts


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a unit, or somebody outside (`source` is None), opens to a port."""

    talk: Talk
    source: End | None
    target: End
    port: Port

    def touches(self, node: Node) -> bool:
        """Whether its packets are seen on a node."""
        return node is self.target.node or (self.source is not None and node is self.source.node)


def connections(topology: Topology) -> tuple[Connection, ...]:
    """Every connection that may be opened, in the order of the nodes that listen."""
    ends = [End(node, unit) for node in topology.nodes for unit in units_of(node)]
    return tuple(
        found
        for target in ends
        for port in target.unit.ports
        if exists(port, topology.spec)
        for use in port.uses
        if topology.spec.relays or not use.relays
        for found in _opened(topology, use, target=target, port=port, ends=ends)
    )


def _opened(
    topology: Topology, use: Use, *, target: End, port: Port, ends: Iterable[End]
) -> Iterator[Connection]:
    if use.by == OUTSIDE:
        if port.from_ is PortOrigin.ANY:
            yield Connection(use.talk, None, target, port)
        return
    for source in ends:
        if source.unit.template != use.by or source == target:
            continue
        if source.node is target.node or reachable(topology, port, source=source.node.address):
            yield Connection(use.talk, source, target, port)
