"""How a spec becomes a topology: which nodes there are, and where they stand in the network."""

from __future__ import annotations

from labctl.model import Node, Role, Spec, Topology, VisitorsLayout, VNode

# Offsets in the lab's network: the how-to has the JMS at .105 and bridges from .106 on.
JMS_OFFSET = 105
FIRST_JVB_OFFSET = 106
FIRST_VISITORS_OFFSET = 201
MAX_JVBS = 50
MAX_VNODES = 64


def resolve(spec: Spec) -> Topology:
    """Lay out the nodes of a checked spec: JMS .105, bridges from .106, visitors from .201.

    In the layout `local` the JMS holds all vnodes and there are no nodes for visitors.
    """
    network, size = spec.network, spec.sizes[Role.JMS]
    vnodes = tuple(VNode(i + 1) for i in range(spec.visitors))
    local = vnodes if spec.visitors_layout is VisitorsLayout.LOCAL else ()
    address = network[JMS_OFFSET]
    nodes = [Node("jms", Role.JMS, address, size, bridge="jvb", vnodes=local, turn=spec.turn)]
    for i in range(spec.jvbs):
        name = f"jvb{i + 1}"
        address = network[FIRST_JVB_OFFSET + i]
        nodes.append(Node(name, Role.JVB, address, spec.sizes[Role.JVB], bridge=name))
    apart, per_node = vnodes[len(local) :], spec.visitors_per_node
    for i, first in enumerate(range(0, len(apart), per_node)):
        nodes.append(
            Node(
                f"visitors{i + 1}",
                Role.VISITORS,
                network[FIRST_VISITORS_OFFSET + i],
                spec.sizes[Role.VISITORS],
                vnodes=apart[first : first + per_node],
            )
        )
    return Topology(
        lab=spec.lab,
        provider=spec.provider,
        domain=spec.domain,
        network=network,
        max_participants=spec.max_participants,
        relays=spec.relays,
        packages=spec.packages,
        nodes=tuple(nodes),
    )
