"""Which bridges of a lab a drill's call may be on, by the topology alone."""

from __future__ import annotations

from typing import assert_never

from labctl.core.errors import LabError
from labctl.drills.model import Where
from labctl.topology.model import Topology


class NoSuchPlaceError(LabError):
    """The lab has nothing that a drill's fault could hit."""


def far_bridges(topology: Topology) -> tuple[str, ...]:
    """Bridges that are alone on their node: those that a partition can cut off."""
    jms = topology.jms
    return tuple(node.bridge for node in topology.nodes if node.bridge and node is not jms)


def bridges_of_far_machines(topology: Topology) -> tuple[str, ...]:
    """Bridges on machines that can be lost: those without the JMS."""
    return tuple(it.bridge for it in topology.nodes if it.bridge and it.host != topology.jms.host)


def wanted_bridges(topology: Topology, place: Where) -> tuple[str, ...]:
    """Where a call must be for a drill whose call is placed at `place`."""
    match place:
        case Where.OWN:
            return (str(topology.jms.bridge),)
        case Where.IN_USE:
            return far_bridges(topology) or topology.bridges
        case Where.ALL:
            return topology.bridges
        case Where.MACHINE:
            return bridges_of_far_machines(topology)
        case (
            Where.IDLE | Where.PAIR | Where.OTHERS | Where.VNODE | Where.PROSODY | Where.JICOFO
            | Where.NGINX
        ):  # fmt: skip
            raise NoSuchPlaceError(f"A call cannot be placed at '{place}'.")
        case _:
            assert_never(place)
