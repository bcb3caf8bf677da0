"""What a row of the table of roles (`labctl.topology.roles`) consists of.  Pure data, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.topology.spec import PackageSource, Role, Size, Spec, VisitorsLayout
from labctl.topology.units import UnitFacts


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """One row: what a node of the role consists of, its address, and what it runs.

    `packages` are Jitsi's packages in the image, `debian` Debian's.  A machine gets `size`, or
    `small` in a small lab, unless lab.conf says otherwise; below `least_memory_mib`, systemd, sshd
    and the role's own units do not start reliably (`least_stand_in_mib`: with stand-ins, which are
    no Java).  `count` says how many nodes a lab has, `names` how they are called (`{n}` from 1),
    and `first_offset` is the first one's offset in the network.
    `bridge` is the nick of the node's videobridge (`{name}`: the node's name), if it has one.
    `vnodes` is the layout in which the role's nodes hold the vnodes.  With `turn` they run coturn
    if the lab has TURN.  `caption` is the text above them in a drawing of the lab.
    """

    role: Role
    what: str
    packages: tuple[str, ...]
    debian: tuple[str, ...]
    units: tuple[UnitFacts, ...]
    size: Size
    small: Size
    least_memory_mib: int
    count: Callable[[Spec], int]
    names: str
    first_offset: int
    bridge: str | None = None
    vnodes: VisitorsLayout | None = None
    turn: bool = False
    caption: tuple[str, ...] = ()
    least_stand_in_mib: int | None = None

    def least_mib(self, packages: PackageSource) -> int:
        """The memory, in MiB, without which a node with packages from there is not reliable."""
        if packages is PackageSource.STAND_INS and self.least_stand_in_mib is not None:
            return self.least_stand_in_mib
        return self.least_memory_mib
