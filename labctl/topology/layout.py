"""How a spec becomes a topology: which nodes there are, and their addresses in the network."""

from __future__ import annotations

from labctl.topology.hosts import place
from labctl.topology.model import Node, Topology, VNode
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.roles import role_facts, rows
from labctl.topology.sizes import size_of
from labctl.topology.spec import Role, Spec


def resolve(spec: Spec) -> Topology:
    """Lay out the nodes of a checked spec: JMS .105, bridges from .106, visitors from .201.

    In the layout `local`, the JMS holds all vnodes and there are no nodes for visitors.
    """
    nodes = [_node(spec, row, i) for row in rows() for i in range(row.count(spec))]
    return Topology(spec, tuple(nodes))


def _node(spec: Spec, row: RoleFacts, i: int) -> Node:
    """The node with index `i` (from 0) of a role."""
    name = row.names.format(n=i + 1)
    return Node(
        name,
        row.role,
        spec.network[row.first_offset + i],
        size_of(row, spec),
        bridge=row.bridge.format(name=name) if row.bridge else None,
        vnodes=_share(spec, i, row.count(spec)) if row.vnodes is spec.visitors_layout else (),
        turn=row.turn and spec.turn,
        host=place(spec.hosts, spec.placement, name=name, role=row.role, index=i),
    )


def _share(spec: Spec, i: int, nodes: int) -> tuple[VNode, ...]:
    """The vnodes of node `i`: as many as a node may hold, or all if there is only one node."""
    per_node = spec.visitors_per_node if nodes > 1 else spec.visitors
    first, last = i * per_node, min((i + 1) * per_node, spec.visitors)
    return tuple(VNode(index + 1) for index in range(first, last))


def roles_of(spec: Spec) -> tuple[Role, ...]:
    """The roles of which a lab has nodes."""
    return tuple(row.role for row in rows() if row.count(spec))


def names_of(spec: Spec) -> tuple[str, ...]:
    """The names of a lab's nodes, even while 'auto' has not chosen its network."""
    return tuple(row.names.format(n=i + 1) for row in rows() for i in range(row.count(spec)))


def jms_offset() -> int:
    """The JMS's offset in the lab's network."""
    return role_facts(Role.JMS).first_offset


def last_offset(spec: Spec) -> int:
    """The highest offset of a node in the lab's network."""
    return max(row.first_offset + row.count(spec) - 1 for row in rows() if row.count(spec))
