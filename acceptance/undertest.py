"""The lab under test: which one, its nodes over ssh, and what they said of themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import testinfra

from acceptance import facts as gathering
from acceptance.facts import Facts
from acceptance.remote import Machine
from labctl.core.errors import LabError
from labctl.core.waiting import Patience
from labctl.host.network import prove_local
from labctl.node.ssh import ensure_config
from labctl.topology.lab import Lab
from labctl.topology.model import Topology
from labctl.topology.workdir import PROJECT, Workdir


def named_workdir() -> Workdir:
    """The folder that LABCTL_WORKDIR names, or that of the lab used last."""
    named = os.environ.get("LABCTL_WORKDIR")
    return Workdir(Path(named) if named else (PROJECT / ".lab" / "current").resolve())


def load_lab() -> Lab:
    """That lab; pytest ends with a sentence if it cannot be read."""
    try:
        return Lab.load(named_workdir())
    except LabError as error:
        raise pytest.UsageError(f"{error.message} {error.hint or ''}") from None


class LabUnderTest:
    """The lab under test: what it is, its nodes over ssh, what they said of themselves."""

    def __init__(self) -> None:
        self.lab = load_lab()
        addresses = [node.address for node in self.topology.nodes]
        try:
            prove_local(addresses, self.topology.network)
            ensure_config(self.lab)
        except LabError as error:
            raise pytest.UsageError(f"{error.message} {error.hint or ''}") from None
        config = str(self.lab.folder.ssh_config)
        self.machines: Mapping[str, Machine] = {
            node.name: Machine(
                testinfra.get_host(f"ssh://{node.name}", ssh_config=config, sudo=True),
                self.patience,
            )
            for node in self.topology.nodes
        }
        self.facts: Mapping[str, Facts | str] = gathering.gather(self.topology.nodes, self.machines)

    @property
    def topology(self) -> Topology:
        return self.lab.topology

    @property
    def patience(self) -> Patience:
        return self.lab.patience

    def stand_ins(self) -> list[str]:
        """Packages that are stand-ins on any node."""
        answers = (answer for answer in self.facts.values() if isinstance(answer, Facts))
        return sorted({line.split()[0] for a in answers for line in a.lines("stand-ins")})
