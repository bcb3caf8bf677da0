"""Vagrant behind four verbs: up, halt, destroy, states.

python-vagrant knows Vagrant's commands and output; its programs are started through
`labctl.core.process`, so that Ctrl-C, logs and errors are as everywhere else.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from labctl.core.errors import LabError
from labctl.core.progress import Progress, Timings, silent
from labctl.host.network import prove_local, wait_local
from labctl.node.halfopen import cut_half_open
from labctl.node.keys import ensure_keys
from labctl.node.ssh import close_masters, ensure_config, wait_ssh
from labctl.providers.answer import ask_states
from labctl.providers.base import PassingError
from labctl.providers.lock import ORPHAN_SECONDS, lock_of, wait_unlocked
from labctl.providers.table import provider_of
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import ROOT, Workdir

RUNNING = "running"
STOPPED = "stopped"
NOT_CREATED = "not_created"

NETWORK_SECONDS = 15.0
"""How long a network may take to come up after the first machine that brings it up."""

CONSOLE_LINES = 15

NOTHING: Mapping[str, str] = MappingProxyType({})


class Machines(Protocol):
    """What labctl needs from Vagrant for a lab's nodes; None for `nodes` means all of them."""

    def up(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        """Create and start nodes and wait until ssh answers; running nodes are left alone."""
        ...

    def halt(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        """Stop nodes cleanly; their disks stay."""
        ...

    def rebuild(self, nodes: Collection[str], *, progress: Progress = silent) -> None:
        """Remove nodes with their disks and create them again from their images."""
        ...

    def destroy(self, *, progress: Progress = silent) -> None:
        """Remove every machine and the network of the lab."""
        ...

    def states(self, *, progress: Progress = silent) -> dict[str, str]:
        """The state of each node in Vagrant's words: running, stopped, not_created ...

        Starts the provider's engine or daemon if it does not run.
        """
        ...


class VagrantMachines:
    """The machines of one lab, run by Vagrant; see `Machines` for the verbs.

    What the steps of `up` take is noted in `timings`.
    """

    def __init__(self, lab: Lab, *, root: Path = ROOT, timings: Timings | None = None) -> None:
        self._lab = lab
        self._timings = timings or Timings()
        self._root = root
        self._provider = provider_of(lab.topology.provider)

    @property
    def log(self) -> Path:
        return self._lab.folder.logs / "vagrant.log"

    @property
    def _lock(self) -> Path:
        return lock_of(self._lab.folder)

    def up(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        self._bring_up(self._select(nodes), anew=(), progress=progress)

    def rebuild(self, nodes: Collection[str], *, progress: Progress = silent) -> None:
        self._bring_up(self._select(nodes), anew=nodes, progress=progress)

    def _bring_up(
        self, wanted: Sequence[Node], *, anew: Collection[str], progress: Progress
    ) -> None:
        wait_unlocked(self._lock, deadline=self._lab.patience.deadline(ORPHAN_SECONDS))
        ensure_keys(self._lab)
        with self._timings.step("the provider's preparation"):
            self._prepare(anew, progress)
        self._lab.folder.save_machines(self._provider.vagrant_data(self._lab))
        # From here on it applies, also to the ssh configuration's time to connect.
        patience = self._lab.folder.load_patience()
        lab = replace(self._lab, patience=patience)
        ensure_config(lab)
        # Before any packet goes to a lab address.
        addresses, network = [node.address for node in wanted], self._lab.topology.network
        if self._provider.network_first:
            prove_local(addresses, network)
        earlier = self.states()
        try:
            self._start(wanted, earlier, progress=progress)
        except PassingError as error:
            progress("machines", f"trying again: {error.message}")
            # A Vagrant that crashed leaves its programs behind, and machines that it has not noted;
            # with these goes the folder of ssh's sockets.
            wait_unlocked(self._lock, deadline=self._lab.patience.deadline(ORPHAN_SECONDS))
            self._prepare((), progress)
            ensure_config(lab)
            self._start(wanted, self.states(), progress=progress)
        if not self._provider.network_first:
            wait_local(addresses, network, deadline=patience.deadline(NETWORK_SECONDS))
        with self._consoles(wanted), self._timings.step("waiting for ssh"):
            seconds = self._provider.ssh_seconds
            wait_ssh(wanted, seconds=seconds, patience=patience, progress=progress)
        stayed = [name for name, state in earlier.items() if state == RUNNING]
        begun = [node.name for node in wanted if node.name not in stayed]
        cut_half_open(lab, nodes=stayed, gone=begun)

    def halt(self, nodes: Collection[str] | None = None, *, progress: Progress = silent) -> None:
        names = [node.name for node in self._select(nodes)]
        close_masters(self._lab.folder)
        states = self.states(progress=progress)
        running = [name for name in names if states[name] == RUNNING]
        for name in running:
            progress("machines", "stopping", node=name)
        if running:
            self._provider.halt(self._lab, running)

    def destroy(self, *, progress: Progress = silent) -> None:
        close_masters(self._lab.folder)
        wait_unlocked(self._lock, deadline=self._lab.patience.deadline(ORPHAN_SECONDS))
        known = self._known_ids()
        for name in known:
            progress("machines", "removing", node=name)
        ask_states(self._provider, self._lab.folder, progress=progress)
        # Remove all at once.  Nothing is left then for Vagrant to stop one by one; it only forgets
        # the machines, and its messages about that would confuse.  It may fail (damaged files, a
        # broken Vagrant): its state of this lab is removed with the folder below.
        self._provider.clean(self._lab.folder)
        if known:
            with suppress(LabError):
                self._vagrant(silent).destroy()
        shutil.rmtree(self._lab.folder.vagrant, ignore_errors=True)

    def states(self, *, progress: Progress = silent) -> dict[str, str]:
        found = ask_states(self._provider, self._lab.folder, progress=progress)
        return {node.name: found.get(node.name, NOT_CREATED) for node in self._lab.topology.nodes}

    def _prepare(self, anew: Collection[str], progress: Progress) -> None:
        """Let the provider remove what cannot stay; a machine that Vagrant does not know goes."""
        known = {name: id for name, id in self._known_ids().items() if name not in anew}
        removed = self._provider.prepare(self._lab, known)
        for name, why in removed.items():
            reason = "it is made anew" if name in anew else why
            progress("machines", f"removed: {reason}", node=name)
        if removed:
            close_masters(self._lab.folder)

    def _start(
        self, wanted: Sequence[Node], states: Mapping[str, str], *, progress: Progress
    ) -> None:
        """Start stopped nodes and let Vagrant create missing ones."""
        stopped = [node.name for node in wanted if states[node.name] == STOPPED]
        for name in stopped:
            progress("machines", "starting", node=name)
        if stopped:
            self._provider.start(self._lab.folder, stopped)
        missing = [node for node in wanted if states[node.name] not in (RUNNING, STOPPED)]
        for env, some in self._provider.split(missing) if missing else ():
            # If the provider is named, Vagrant does not ask for the engine's version for each node.
            vagrant = self._vagrant(progress, env=env)
            with self._consoles(some), self._timings.step("vagrant up"):
                vagrant.up(pattern([node.name for node in some]), provider=self._provider.name)

    @contextmanager
    def _consoles(self, nodes: Sequence[Node]) -> Iterator[None]:
        """If the block fails, add the last lines of the nodes' consoles to the error."""
        try:
            yield
        except PassingError:
            raise
        except LabError as error:
            named = [node for node in nodes if f"'{node.name}'" in error.message]
            said = {node.name: self._console(node) for node in named or nodes}
            shown = [
                f"\nThe console of '{name}' ended with:{text}"
                for name, text in said.items()
                if text
            ]
            message = error.message + "".join(shown)
            raise LabError(message, hint=error.hint, log=error.log) from error

    def _console(self, node: Node) -> str:
        """The end of a node's console, indented, with a line break before each line."""
        try:
            text = self._provider.read_console(self._lab.folder, node.name)
        except LabError:
            return ""
        lines = [line.rstrip() for line in text.splitlines() if line.strip()]
        return "".join(f"\n    {line}" for line in lines[-CONSOLE_LINES:])

    def _vagrant(self, progress: Progress, *, env: Mapping[str, str] = NOTHING) -> Any:
        def on_line(line: str) -> None:
            if said := parse_line(line):
                progress("machines", said[1], node=said[0])

        # Imported late: see the docstring of that module.
        from labctl.providers.command import Vagrant

        return Vagrant(
            self._root,
            env=self._env() | dict(env),
            lock=self._lock,
            log=self.log,
            on_line=on_line,
            explain=self._provider.explain,
        )

    def _env(self) -> dict[str, str]:
        parallel = {} if self._provider.parallel_up else {"VAGRANT_NO_PARALLEL": "1"}
        return parallel | {
            "LABCTL_WORKDIR": str(self._lab.folder.path.resolve()),
            "VAGRANT_DOTFILE_PATH": str(self._lab.folder.vagrant.resolve()),
            "VAGRANT_DEFAULT_PROVIDER": str(self._lab.topology.provider),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
        }

    def _select(self, names: Collection[str] | None) -> list[Node]:
        return [node for node in self._lab.topology.nodes if names is None or node.name in names]

    def _known_ids(self) -> dict[str, str]:
        """The machine ids that Vagrant remembers, by node."""
        return read_ids(self._lab.folder, self._lab.topology.provider)


def read_ids(folder: Workdir, provider: ProviderName) -> dict[str, str]:
    """The machine ids that Vagrant remembers of a provider, by node; damaged ones match nothing."""
    files = folder.vagrant.glob(f"machines/*/{provider}/id")
    return {
        file.parent.parent.name: file.read_text(encoding="utf-8", errors="replace")
        for file in files
        if file.is_file()
    }


def pattern(names: Sequence[str]) -> str:
    """Several machines as one argument, in Vagrant's own notation."""
    return f"/^({'|'.join(map(re.escape, names))})$/"


def parse_line(line: str) -> tuple[str, str] | None:
    """The node and Vagrant's message, from a line such as `==> jvb1: Starting...`."""
    found = re.match(r"==> ([^:\s]+): (\S.*)", line)
    return (found[1], found[2]) if found else None
