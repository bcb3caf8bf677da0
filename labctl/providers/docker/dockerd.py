"""The ways to start the Docker engine: systemd, the init script, or `dockerd` itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.pids import start_ticks
from labctl.core.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.core.waiting import Deadline, wait_until
from labctl.host.routes import USUAL_MTU, outer_mtu
from labctl.topology.workdir import state_dir

SYSTEMD = Path("/run/systemd/system")
INIT_SCRIPT = Path("/etc/init.d/docker")
PID_FILE = Path("/var/run/docker.pid")
PID_FILES = {PID_FILE: "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}
START_SECONDS = 30.0
# A manager that reports failure may still have started the engine: in containers, for instance,
# only the init script's ulimit fails.  This is how long to wait for its process.
FAILED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """A start attempt: how long to wait for it, and the process to watch, if it is ours."""

    deadline: Deadline
    pid: int | None = None

    @property
    def failed(self) -> bool:
        """Whether the process has ended, so that waiting is useless."""
        return self.pid is not None and start_ticks(self.pid) is None


def log_file() -> Path:
    """The log of an engine that labctl itself started."""
    return state_dir() / "dockerd.log"


def ways() -> Iterator[tuple[str, Callable[[], Attempt]]]:
    """The ways that this machine has, by name, each with its start, in the order to try."""
    if SYSTEMD.is_dir():
        yield "systemd", lambda: _start_managed(["systemctl", "start", "docker.service"])
    elif INIT_SCRIPT.exists():
        yield "init script", lambda: _start_managed([INIT_SCRIPT, "start"])
    yield "dockerd", _start_dockerd


def _start_managed(command: list[str | Path]) -> Attempt:
    what = "Starting the Docker engine"
    code = run_as_root(
        command, what=what, log=state_dir() / "engine-start.log", timeout=120, check=False
    )
    begun = code == 0 or wait_until(
        _is_starting, deadline=Deadline.after(FAILED_SECONDS), interval=0.1
    )
    return Attempt(Deadline.after(START_SECONDS if begun else 0.0))


def _is_starting() -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            name = path.read_text(encoding="utf-8").strip()
            if name == "dockerd" and start_ticks(int(path.parent.name)) is not None:
                return True
    return False


def _start_dockerd() -> Attempt:
    command = dockerd_command(mtu=outer_mtu())
    privilege = find_privilege()
    match privilege:
        case Privilege.ROOT:
            _remove_stale_pid_files()
        case Privilege.SUDO:
            command = ["sudo", "-n", *command]
        case Privilege.ASK | Privilege.NONE:
            raise LabError(
                "Starting the Docker engine needs root.",
                hint=f"Run as root: {process.shell_line(command)}",
            )
        case _:
            assert_never(privilege)
    pid = process.spawn(command, log=log_file())
    return Attempt(Deadline.after(START_SECONDS), pid)


def _remove_stale_pid_files() -> None:
    # After a crash, or on a restored machine, the number may belong to another program, which
    # dockerd would take for itself.
    for path, name in PID_FILES.items():
        with suppress(OSError, ValueError):
            pid = int(path.read_text(encoding="utf-8"))
            command = Path(f"/proc/{pid}/comm")
            if not command.exists() or command.read_text(encoding="utf-8").strip() != name:
                path.unlink()


def dockerd_command(*, mtu: int) -> list[str]:
    """The engine's command line; containers must not send packets larger than the outer MTU."""
    program = find_program("dockerd") or "dockerd"
    return [program, f"--mtu={mtu}"] if mtu < USUAL_MTU else [program]
