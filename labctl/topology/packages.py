"""Which packages roles and nodes have, from the table of roles.  Pure data, no I/O."""

from __future__ import annotations

from labctl.topology.model import Node
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.roles import role_facts, rows, units_of
from labctl.topology.spec import Role
from labctl.topology.units import UnitFacts


def jitsi_packages() -> tuple[str, ...]:
    """Jitsi's packages that any role has, each once."""
    return tuple(dict.fromkeys(name for row in rows() for name in row.packages))


def shown_packages(role: Role) -> tuple[str, ...]:
    """The packages of a role to show: Jitsi's, and those of Debian that contain a unit."""
    return _shown(role_facts(role), role_facts(role).units)


def node_packages(node: Node) -> tuple[str, ...]:
    """The same for a node; coturn only if it runs there."""
    return _shown(role_facts(node.role), units_of(node))


def _shown(row: RoleFacts, units: tuple[UnitFacts, ...]) -> tuple[str, ...]:
    programs = {unit.program for unit in units}
    return (*row.packages, *(name for name in row.debian if name in programs))
