"""A lab's folder on disk, `.lab/<name>/` in the project's root."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.core.state import Flaw, StateError, load_state, save_state
from labctl.core.user import ensure_home
from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.topology.migrate import MACHINES, TOPOLOGY, MachineFacts
from labctl.topology.model import Topology
from labctl.topology.places import LABS, user_state
from labctl.topology.places import PROJECT as PROJECT
from labctl.topology.places import ROOT as ROOT

LAB_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
LAB_NAME_WORDS = "1 to 32 lower-case letters, digits and dashes, with no dash at the start or end"
RESERVED_NAMES = ("current", "build")
"""Names of labctl's own folders under .lab/."""


def state_dir() -> Path:
    """Where labctl keeps files that outlive every lab, such as logs of daemons that it started."""
    return user_state(ensure_home)


@dataclass(frozen=True, slots=True)
class Workdir:
    """The paths of one lab."""

    path: Path

    @classmethod
    def of(cls, lab: str, *, root: Path = PROJECT) -> Workdir:
        return cls(root / LABS / lab)

    @property
    def lab(self) -> str:
        return self.path.name

    @property
    def topology_file(self) -> Path:
        return self.path / "topology.json"

    @property
    def machines_file(self) -> Path:
        """What the provider tells the Vagrantfile in addition to the topology."""
        return self.path / "machines.json"

    @property
    def drill_file(self) -> Path:
        """What an interrupted drill has left to undo (`labctl.drills.journal`)."""
        return self.path / "drill.json"

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.json"

    @property
    def ca(self) -> Path:
        """The lab's certificate authority: `ca.crt`, `ca.key` (0600)."""
        return self.path / "ca"

    @property
    def tree(self) -> Path:
        """Rendered files: `<node>/files/...` and `<node>/manifest.json`."""
        return self.path / "tree"

    @property
    def ssh(self) -> Path:
        """Keys and client configuration: `id_ed25519`, `known_hosts`, `config`, `nodes/`."""
        return self.path / "ssh"

    @property
    def ssh_config(self) -> Path:
        return self.ssh / "config"

    @property
    def ssh_hosts(self) -> Path:
        """The part of an ssh_config that users may include in theirs."""
        return self.ssh / "hosts"

    @property
    def vagrant(self) -> Path:
        """Vagrant's own state (VAGRANT_DOTFILE_PATH)."""
        return self.path / "vagrant"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def console(self, node: str) -> Path:
        """The file with the output of a virtual machine's serial console."""
        return self.logs / f"console-{node}.log"

    def exists(self) -> bool:
        """Whether there is anything at the path of the lab's topology."""
        return self.topology_file.exists()

    def load_topology(self) -> Topology:
        """The lab's topology, whatever format it was written in.

        Errors: LabError if there is no lab, StateError if its file cannot be used.
        """
        try:
            topology = load_state(self.topology_file, TOPOLOGY)
        except StateError as error:
            if error.flaw is not Flaw.MISSING:
                raise
            raise no_lab(self) from None
        # `.lab/current` is a link to a lab.
        name = self.path.resolve().name
        if topology.lab != name:
            said = f"belongs to lab '{topology.lab}', not to '{name}'"
            hint = f"Run 'labctl destroy --lab {name}' to remove this folder."
            raise StateError(self.topology_file, Flaw.FOREIGN, said, hint=hint)
        return topology

    def find_topology(self) -> Topology | None:
        """The lab's topology; None if there is none, or a damaged one that `up` writes again.

        Errors: StateError for a file that must not be overwritten.
        """
        try:
            return self.load_topology() if self.exists() else None
        except StateError as error:
            if error.flaw is Flaw.DAMAGED:
                return None
            raise

    def load_machines(self) -> MachineFacts:
        """What machines.json says about the machines; facts of fast ones if there are none yet.

        Errors: StateError if the file cannot be used.
        """
        if not self.machines_file.exists():
            return MachineFacts()
        return load_state(self.machines_file, MACHINES)

    def load_patience(self) -> Patience:
        """How many times longer this lab's machines may take; a damaged file counts as none.

        `status` names such a file, and the next `up` writes it again.
        """
        try:
            return self.load_machines().patience
        except StateError:
            return NO_PATIENCE

    def save_machines(self, data: Mapping[str, Any]) -> None:
        save_state(self.machines_file, MACHINES, data)

    def save_topology(self, topology: Topology) -> None:
        save_state(self.topology_file, TOPOLOGY, topology.to_json())


def lab_names(*, root: Path = PROJECT) -> tuple[str, ...]:
    """The names of all labs that have a topology, in order; for lists and completion."""
    found = (path.parent for path in (root / LABS).glob("*/topology.json"))
    names = (path.name for path in found if not path.is_symlink())
    return tuple(sorted(name for name in names if LAB_NAME.fullmatch(name)))


def no_lab(workdir: Workdir) -> LabError:
    """The error for a lab that does not exist."""
    return LabError(f"There is no lab '{workdir.lab}'.", hint="Run 'labctl up' to make one.")
