"""How much memory and how many CPUs a machine gets, and what Java may take of it."""

from __future__ import annotations

from labctl.topology.model import Node
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.roles import role_facts
from labctl.topology.spec import Size, Spec


def size_of(row: RoleFacts, spec: Spec) -> Size:
    """What a machine of the role gets in this lab."""
    return spec.sizes.get(row.role, row.small if spec.small else row.size)


def heap_mib(node: Node) -> int | None:
    """How much memory each Java of a node may take for objects, in MiB; None for its own default.

    Upstream's scripts allow each 3072 MiB, which is more than a smaller node has: its Java would
    be killed by the kernel instead of collecting garbage.  Half of the node's memory is for all
    heaps; the rest is for Java's own needs and the other programs.
    """
    row = role_facts(node.role)
    javas = sum(1 for unit in row.units if unit.heap)
    if not javas or node.size.memory_mib >= row.size.memory_mib:
        return None
    return node.size.memory_mib // 2 // javas
