"""A virtual machine that runs for a short time, reached by ssh on loopback."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.process import Result
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.vm.accel import Accelerator
from labctl.providers.vm.seed import make_throwaway

MEMORY_MIB = 1024
CONSOLE_LINES = 15

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\r")
"""Escape sequences for a terminal in a console's text."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A machine that answers ssh; `boot_seconds` is how long that took."""

    name: str
    ssh: tuple[str | Path, ...]
    boot_seconds: float

    def run(self, script: str, *, timeout: float = 120.0, check: bool = True) -> Result:
        """Run a shell script as root.  Errors: ProcessError."""
        words = [*self.ssh, "sudo", "-n", "/bin/sh", "-s"]
        return process.run(words, stdin=script, timeout=timeout, check=check)


@dataclass(frozen=True, slots=True)
class GuestSetup:
    """What a machine is started with: a private folder, its seed, a free port, its ssh command."""

    name: str
    folder: Path
    seed: Path
    port: int
    ssh: tuple[str | Path, ...]

    @property
    def console(self) -> Path:
        return self.folder / "console.log"


def make_setup(name: str, *, scratch: Path) -> GuestSetup:
    """Make keys, seed and port for one machine, in a folder of `scratch` closed to others."""
    folder = scratch / f"guest-{name}"
    folder.mkdir(mode=0o700)
    seed, key, host_key = make_throwaway(folder, name=name)
    port = free_port()
    ssh = _ssh(folder, key=key, host_key=host_key, name=name, port=port)
    return GuestSetup(name, folder, seed, port, ssh)


def wait_guest(
    start: GuestSetup, *, accelerator: Accelerator, alive: Callable[[], bool], disk: Path
) -> Guest:
    """Wait until a started machine answers ssh.

    Errors: LabError with the console's last lines if it does not in time, or has ended.
    """
    began = time.monotonic()
    gone = False

    def greets() -> bool:
        nonlocal gone
        gone = not alive()
        return gone or _greets(start.port)

    deadline = Deadline.after(accelerator.boot_seconds)
    if not wait_until(greets, deadline=deadline, interval=0.3) or gone:
        what = (
            "ended before it was up"
            if gone
            else f"did not answer ssh within {accelerator.boot_seconds:.0f} s"
        )
        shown = "".join(_tail(log) for log in sorted(start.folder.glob("*.log")))
        raise LabError(
            f"The machine '{start.name}' {what} ({accelerator}).{shown}",
            hint=f"Its disk is '{disk}'.",
        )
    return Guest(start.name, start.ssh, time.monotonic() - began)


def free_port() -> int:
    """A port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _greets(port: int) -> bool:
    """Whether sshd greets; the port forwarder accepts connections before sshd answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def _ssh(folder: Path, *, key: Path, host_key: str, name: str, port: int) -> tuple[str | Path, ...]:
    known = folder / "known_hosts"
    known.write_text(f"{name} {' '.join(host_key.split()[:2])}\n", encoding="utf-8")
    options = {
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": name,
        "ConnectTimeout": "30",
        "LogLevel": "ERROR",
    }
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    return ("ssh", "-F", "none", *words, "-i", key, "-p", str(port), "vagrant@127.0.0.1", "--")


def _tail(log: Path) -> str:
    if not log.is_file():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in ESCAPES.sub("", text).splitlines() if line.strip()]
    return "".join(f"\n    {line}" for line in lines[-CONSOLE_LINES:])
