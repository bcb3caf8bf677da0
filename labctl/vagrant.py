"""Vagrant behind five verbs: up, halt, destroy, states, ssh_config.

python-vagrant knows Vagrant's commands and output; its programs are started through
`labctl.process`, so that Ctrl-C, logs and errors are as everywhere else.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.network import prove_local
from labctl.progress import Progress, silent
from labctl.providers import facts_of
from labctl.ssh import close_masters, ensure_config, wait_ssh
from labctl.sshkeys import ensure_keys
from labctl.waiting import Deadline, wait_until
from labctl.workdir import ROOT, Workdir

RUNNING = "running"
STOPPED = "stopped"
NOT_CREATED = "not_created"

ORPHAN_SECONDS = 60.0
"""How long a Vagrant that outlived its labctl may take to end."""


class Machines(Protocol):
    """What labctl needs of whatever runs the nodes; None for `nodes` means all of them."""

    def up(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        """Create and start nodes and wait until ssh answers; nothing for those that do."""
        ...

    def halt(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        """Stop nodes in order; their disks stay."""
        ...

    def destroy(self, *, progress: Progress = silent) -> None:
        """Remove every machine and the network of the lab."""
        ...

    def states(self) -> dict[str, str]:
        """The state of each node in Vagrant's words: running, stopped, not_created ..."""
        ...

    def ssh_config(self, node: str) -> dict[str, str]:
        """The ssh options that Vagrant itself uses for a node."""
        ...


class VagrantMachines:
    """The machines of one lab, run by Vagrant; see `Machines` for the verbs."""

    def __init__(self, workdir: Workdir, topology: Topology, *, root: Path = ROOT) -> None:
        self._workdir = workdir
        self._topology = topology
        self._root = root
        self._facts = facts_of(topology.provider)

    @property
    def log(self) -> Path:
        return self._workdir.logs / "vagrant.log"

    @property
    def _lock(self) -> Path:
        return self._workdir.path / "vagrant.lock"

    def up(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        wanted = self._select(nodes)
        wait_unlocked(self._lock, deadline=Deadline.after(ORPHAN_SECONDS))
        ensure_keys(self._workdir, self._topology)
        ensure_config(self._workdir, self._topology)
        removed = self._facts.prepare(self._workdir, self._topology, self._known_ids())
        for name, why in removed.items():
            progress("machines", f"removed: {why}", node=name)
        if removed:
            close_masters(self._workdir)
            ensure_config(self._workdir, self._topology)
        # Before any packet goes to a lab address.
        prove_local([node.address for node in wanted], self._topology.network)
        states = self.states()
        stopped = [node.name for node in wanted if states[node.name] == STOPPED]
        for name in stopped:
            progress("machines", "starting", node=name)
        if stopped:
            self._facts.start(self._workdir, stopped)
        missing = [node.name for node in wanted if states[node.name] not in (RUNNING, STOPPED)]
        if missing:
            # With the provider named, Vagrant does not ask the engine's version for each node.
            vagrant, names = self._vagrant(progress), pattern(missing)
            vagrant.up(names, provider=self._facts.provider)
        wait_ssh(wanted, deadline=Deadline.after(self._facts.ssh_seconds))

    def halt(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        names = [node.name for node in self._select(nodes)]
        close_masters(self._workdir)
        states = self.states()
        running = [name for name in names if states[name] == RUNNING]
        for name in running:
            progress("machines", "stopping", node=name)
        if running:
            self._facts.halt(self._workdir, running)

    def destroy(self, *, progress: Progress = silent) -> None:
        close_masters(self._workdir)
        wait_unlocked(self._lock, deadline=Deadline.after(ORPHAN_SECONDS))
        # All at once; then there is nothing left that Vagrant would stop one by one, and it only
        # forgets.
        self._facts.clean(self._workdir)
        if self._known_ids():
            self._vagrant(progress).destroy()
        shutil.rmtree(self._workdir.vagrant, ignore_errors=True)

    def states(self) -> dict[str, str]:
        found = self._facts.states(self._workdir)
        return {node.name: found.get(node.name, NOT_CREATED) for node in self._topology.nodes}

    def ssh_config(self, node: str) -> dict[str, str]:
        vagrant = self._vagrant(silent)
        config: dict[str, str] = vagrant.conf(vm_name=node)
        return config

    def _vagrant(self, progress: Progress) -> Any:
        def on_line(line: str) -> None:
            if said := parse_line(line):
                progress("machines", said[1], node=said[0])

        # Late: see the module's first lines.
        from labctl.vagrantcommand import Vagrant

        return Vagrant(self._root, env=self._env(), lock=self._lock, log=self.log, on_line=on_line)

    def _env(self) -> dict[str, str]:
        return {
            "LABCTL_WORKDIR": str(self._workdir.path.resolve()),
            "VAGRANT_DOTFILE_PATH": str(self._workdir.vagrant.resolve()),
            "VAGRANT_DEFAULT_PROVIDER": str(self._topology.provider),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
        }

    def _select(self, names: Collection[str] | None) -> list[Node]:
        return [node for node in self._topology.nodes if names is None or node.name in names]

    def _known_ids(self) -> dict[str, str]:
        """The machine ids that Vagrant remembers, by node."""
        files = self._workdir.vagrant.glob(f"machines/*/{self._topology.provider}/id")
        return {file.parent.parent.name: file.read_text(encoding="utf-8") for file in files}


def wait_unlocked(lock: Path, *, deadline: Deadline) -> None:
    """Wait for a Vagrant that a killed labctl left at work.

    Errors: LabError when it still runs at the deadline.
    """

    def free() -> bool:
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    if not wait_until(free, deadline=deadline, interval=0.2):
        raise LabError(
            f"A 'vagrant' of an earlier run still works on lab '{lock.parent.name}'.",
            hint=f"See who holds it: 'fuser -v {lock}'.",
        )


def pattern(names: Sequence[str]) -> str:
    """Several machines as one argument, in Vagrant's own notation."""
    return f"/^({'|'.join(map(re.escape, names))})$/"


def parse_line(line: str) -> tuple[str, str] | None:
    """The node and what Vagrant says of it, from a line such as `==> jvb1: Starting...`."""
    found = re.match(r"==> ([^:\s]+): (\S.*)", line)
    return (found[1], found[2]) if found else None


def ensure_plain_vagrant(workdir: Workdir, *, root: Path = ROOT) -> None:
    """Make plain `vagrant` in the project's root see the current lab's machines.

    `.vagrant` becomes a link to the state folder of the lab that `.lab/current` points to.
    Errors: LabError when `.vagrant` is a folder with machines of somebody else.
    """
    link = root / ".vagrant"
    workdir.vagrant.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        if any(link.glob("machines/*/*/id")):
            raise LabError(
                f"'{link}' holds machines that labctl did not make.",
                hint="Run 'vagrant destroy' there, then remove the folder.",
            )
        # What a plain `vagrant` call leaves where there was no lab: an empty frame.
        shutil.rmtree(link)
    target = Path(".lab") / "current" / "vagrant"
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def remove_plain_vagrant(*, root: Path = ROOT) -> None:
    """Remove the link, so that a plain `vagrant` call does not stumble over its missing end."""
    link = root / ".vagrant"
    if link.is_symlink() and not link.exists():
        link.unlink()
