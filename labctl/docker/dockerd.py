"""Ways to start the Docker engine: systemd, the init script, `dockerd` itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.errors import LabError
from labctl.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.waiting import Deadline, wait_until
from labctl.workdir import state_dir

SYSTEMD = Path("/run/systemd/system")
INIT_SCRIPT = Path("/etc/init.d/docker")
PID_FILE = Path("/var/run/docker.pid")
PID_FILES = {PID_FILE: "dockerd", Path("/var/run/docker/containerd/containerd.pid"): "containerd"}
START_SECONDS = 30.0
# A manager that says that it failed may have failed in a side line and started it all the same
# (the init script's ulimit, in containers); this long is looked whether a process comes up.
FAILED_SECONDS = 1.0
USUAL_MTU = 1500


@dataclass(frozen=True, slots=True)
class Attempt:
    """A start that was begun: how long to wait for it, and the process to watch, if it is ours."""

    deadline: Deadline
    pid: int | None = None

    @property
    def failed(self) -> bool:
        """Whether the process has ended, so that there is nothing to wait for."""
        return self.pid is not None and process.start_ticks(self.pid) is None


def log_file() -> Path:
    """Where the engine that labctl itself started writes to."""
    return state_dir() / "dockerd.log"


def ways() -> Iterator[tuple[str, Callable[[], Attempt]]]:
    """Names of the ways that this machine has, and how each is begun, in the order to try."""
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
            if name == "dockerd" and process.start_ticks(int(path.parent.name)) is not None:
                return True
    return False


def _start_dockerd() -> Attempt:
    command = dockerd_command(mtu=outer_mtu())
    privilege = find_privilege()
    if privilege not in (Privilege.ROOT, Privilege.SUDO):
        raise LabError(
            "Starting the Docker engine needs root.",
            hint=f"Run as root: {process.shell_line(command)}",
        )
    if privilege is Privilege.ROOT:
        _remove_stale_pid_files()
    prefix = ["sudo", "-n"] if privilege is Privilege.SUDO else []
    pid = process.spawn([*prefix, *command], log=log_file())
    return Attempt(Deadline.after(START_SECONDS), pid)


def _remove_stale_pid_files() -> None:
    # After a crash or in a restored machine the number may belong to another program by now, and
    # dockerd would take that for itself.
    for path, name in PID_FILES.items():
        with suppress(OSError, ValueError):
            pid = int(path.read_text(encoding="utf-8"))
            command = Path(f"/proc/{pid}/comm")
            if not command.exists() or command.read_text(encoding="utf-8").strip() != name:
                path.unlink()


def outer_mtu() -> int:
    """The MTU of the interface that the default route leaves by; 1500 where there is none."""
    try:
        rows = Path("/proc/net/route").read_text(encoding="utf-8").splitlines()[1:]
        device = next(row.split()[0] for row in rows if row.split()[1] == "00000000")
        return int(Path(f"/sys/class/net/{device}/mtu").read_text(encoding="utf-8"))
    except (OSError, StopIteration, ValueError, IndexError):
        return USUAL_MTU


def dockerd_command(*, mtu: int) -> list[str]:
    """The engine's own command line; containers must not send larger packets than get out."""
    program = find_program("dockerd") or "dockerd"
    return [program, f"--mtu={mtu}"] if mtu < USUAL_MTU else [program]
