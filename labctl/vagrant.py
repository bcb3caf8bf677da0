"""Vagrant behind five verbs: up, halt, destroy, states, ssh_config.

python-vagrant knows Vagrant's commands and output; its programs are started through
`labctl.process`, so that Ctrl-C, logs and errors are as everywhere else.
"""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from labctl.capabilities import capabilities_of
from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.network import prove_local, wait_local
from labctl.progress import Progress, silent
from labctl.providers import facts_of
from labctl.ssh import close_masters, ensure_config, wait_ssh
from labctl.sshkeys import ensure_keys
from labctl.waiting import Deadline, set_patience, wait_until
from labctl.workdir import ROOT, Workdir

RUNNING = "running"
STOPPED = "stopped"
NOT_CREATED = "not_created"

ORPHAN_SECONDS = 60.0
"""How long a Vagrant that outlived its labctl may take to end."""

NETWORK_SECONDS = 15.0
"""How long after its first machine a network may take to come up, where that brings it up."""

CONSOLE_LINES = 15


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
        self._capabilities = capabilities_of(topology.provider)

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
        self._prepare(progress)
        self._workdir.save_machines(self._facts.vagrant_data(self._workdir, self._topology))
        # From here on, the ssh configuration's time to connect included.
        set_patience(self._workdir.patience)
        ensure_config(self._workdir, self._topology)
        # Before any packet goes to a lab address.
        addresses, network = [node.address for node in wanted], self._topology.network
        if self._capabilities.network_first:
            prove_local(addresses, network)
        self._start(wanted, progress=progress)
        if not self._capabilities.network_first:
            wait_local(addresses, network, deadline=Deadline.after(NETWORK_SECONDS))
        with self._consoles(wanted):
            deadline = Deadline.after(self._facts.ssh_seconds)
            wait_ssh(wanted, deadline=deadline, progress=progress)

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
        known = self._known_ids()
        for name in known:
            progress("machines", "removing", node=name)
        # All at once; then there is nothing left that Vagrant would stop one by one, and it only
        # forgets: what it says of that would surprise people.
        self._facts.clean(self._workdir)
        if known:
            self._vagrant(silent).destroy()
        shutil.rmtree(self._workdir.vagrant, ignore_errors=True)

    def states(self) -> dict[str, str]:
        found = self._facts.states(self._workdir)
        return {node.name: found.get(node.name, NOT_CREATED) for node in self._topology.nodes}

    def ssh_config(self, node: str) -> dict[str, str]:
        vagrant = self._vagrant(silent)
        config: dict[str, str] = vagrant.conf(vm_name=node)
        return config

    def _prepare(self, progress: Progress) -> None:
        removed = self._facts.prepare(self._workdir, self._topology, self._known_ids())
        for name, why in removed.items():
            progress("machines", f"removed: {why}", node=name)
        if removed:
            close_masters(self._workdir)

    def _start(self, wanted: Sequence[Node], *, progress: Progress) -> None:
        """Start what is stopped and let Vagrant make what is missing."""
        states = self.states()
        stopped = [node.name for node in wanted if states[node.name] == STOPPED]
        for name in stopped:
            progress("machines", "starting", node=name)
        if stopped:
            self._facts.start(self._workdir, stopped)
        missing = [node for node in wanted if states[node.name] not in (RUNNING, STOPPED)]
        if missing:
            # With the provider named, Vagrant does not ask the engine's version for each node.
            vagrant, names = self._vagrant(progress), pattern([node.name for node in missing])
            with self._consoles(missing):
                vagrant.up(names, provider=self._facts.provider)

    @contextmanager
    def _consoles(self, nodes: Sequence[Node]) -> Iterator[None]:
        """When this fails, the error tells what the consoles of its nodes said last."""
        try:
            yield
        except LabError as error:
            named = [node for node in nodes if f"'{node.name}'" in error.message]
            said = {node.name: self._console(node) for node in named or nodes}
            shown = [
                f"\nThe console of '{name}' said last:{text}" for name, text in said.items() if text
            ]
            message = error.message + "".join(shown)
            raise LabError(message, hint=error.hint, log=error.log) from error

    def _console(self, node: Node) -> str:
        """The end of a node's console, indented, a line break before each line."""
        try:
            text = self._facts.console(self._workdir, node.name)
        except LabError:
            return ""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        return "".join(f"\n    {line}" for line in lines[-CONSOLE_LINES:])

    def _vagrant(self, progress: Progress) -> Any:
        def on_line(line: str) -> None:
            if said := parse_line(line):
                progress("machines", said[1], node=said[0])

        # Late: see the module's first lines.
        from labctl.vagrantcommand import Vagrant

        return Vagrant(self._root, env=self._env(), lock=self._lock, log=self.log, on_line=on_line)

    def _env(self) -> dict[str, str]:
        parallel = {} if self._capabilities.parallel_up else {"VAGRANT_NO_PARALLEL": "1"}
        return parallel | {
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
