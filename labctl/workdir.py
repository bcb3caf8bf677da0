"""Where a lab lives on disk: `.lab/<name>/` in the project's root, and the lock on it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.model import Topology

ROOT = Path(__file__).resolve().parent.parent
"""The project's root: the folder that holds the Vagrantfile."""


def state_dir() -> Path:
    """Where labctl keeps what outlives every lab (logs of daemons that it started)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "labctl"


def write_file(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file whole: readers see the old text or the new one, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    scratch.replace(path)


def write_json(path: Path, data: Any, *, mode: int = 0o644) -> None:
    """Write plain data as readable JSON, whole."""
    write_file(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n", mode=mode)


@dataclass(frozen=True, slots=True)
class Workdir:
    """The paths of one lab."""

    path: Path

    @classmethod
    def of(cls, lab: str, *, root: Path = ROOT) -> Workdir:
        return cls(root / ".lab" / lab)

    @property
    def lab(self) -> str:
        return self.path.name

    @property
    def topology_file(self) -> Path:
        return self.path / "topology.json"

    @property
    def machines_file(self) -> Path:
        """What the provider tells the Vagrantfile beside the topology."""
        return self.path / "machines.json"

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
    def vagrant(self) -> Path:
        """Vagrant's own state (VAGRANT_DOTFILE_PATH)."""
        return self.path / "vagrant"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def console(self, node: str) -> Path:
        """Where a virtual machine's serial console is kept."""
        return self.logs / f"console-{node}.log"

    def exists(self) -> bool:
        return self.topology_file.is_file()

    def load_topology(self) -> Topology:
        """The lab's topology; LabError where there is no lab or its file is unreadable."""
        try:
            data = json.loads(self.topology_file.read_text(encoding="utf-8"))
            return Topology.from_json(data)
        except FileNotFoundError:
            raise LabError(
                f"There is no lab '{self.lab}'.", hint="Run 'labctl up' to make one."
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"'{self.topology_file}' cannot be read: {error}.",
                hint="Run 'labctl up' to write it anew.",
            ) from error

    def load_machines(self) -> dict[str, Any]:
        """What machines.json holds; empty where there is none or it is damaged."""
        try:
            data = json.loads(self.machines_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}

    @property
    def patience(self) -> float:
        """By how much deadlines are longer for this lab (`labctl.waiting`); 1 where not said."""
        found = self.load_machines().get("patience", 1.0)
        return max(1.0, float(found)) if isinstance(found, int | float) else 1.0

    def save_machines(self, data: Mapping[str, Any]) -> None:
        write_json(self.machines_file, dict(data))

    def save_topology(self, topology: Topology) -> None:
        write_json(self.topology_file, topology.to_json())


@contextmanager
def locked(workdir: Workdir, *, what: str) -> Iterator[None]:
    """Hold the lab for the time of one command.

    Errors: LabError that names the holder when another command has it.  The lock is the
    kernel's, so it goes when its holder dies, however that happens.
    """
    workdir.path.mkdir(parents=True, exist_ok=True)
    path = workdir.path.parent / f".{workdir.lab}.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another labctl"
            raise LabError(
                f"Lab '{workdir.lab}' is held by {holder}.",
                hint="Wait until it ends, or use another lab with '--lab NAME'.",
            ) from None
        file.truncate(0)
        file.write(f"'labctl {what}' (process {os.getpid()})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
