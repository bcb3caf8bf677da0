"""One lab as a value: its folder, its topology, and the patience that its nodes need.

Nearly every function that works with a lab takes this value.  Steps before a lab exists (choosing a
provider, the lock, the secrets) take the folder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labctl.core.crowding import measure_crowding
from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.topology.model import Topology
from labctl.topology.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab.

    Its patience is how slow its machines are (machines.json; before there are any, not at all),
    times how crowded this machine is at present.
    """

    folder: Workdir
    topology: Topology
    patience: Patience = NO_PATIENCE

    @classmethod
    def load(cls, folder: Workdir) -> Lab:
        """The lab in a folder, from topology.json and machines.json.

        Errors: LabError if there is no lab, or its topology cannot be read.
        """
        return cls(folder, folder.load_topology()).measured()

    def measured(self) -> Lab:
        """The same lab with the patience that it needs now; for whoever begins something long."""
        factor = self.folder.load_patience().factor * measure_crowding()
        return replace(self, patience=Patience(factor))
