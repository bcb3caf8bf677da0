"""The entry to a lab's nodes: all code that runs something on them starts here."""

from __future__ import annotations

from collections.abc import Callable

from labctl.node.openssh import OpenSsh
from labctl.node.seam import Nodes
from labctl.topology.lab import Lab

TRANSPORT: Callable[[Lab], Nodes] = OpenSsh
"""How the nodes of a lab are reached.  Unit tests put a fake here (`tests.fakes.nodes`)."""


def reach(lab: Lab) -> Nodes:
    """The nodes of the lab."""
    return TRANSPORT(lab)
