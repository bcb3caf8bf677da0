"""One virtual machine run by QEMU itself for a short time, reached over ssh on loopback."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.errors import LabError
from labctl.process import Result
from labctl.vm.accel import QEMU, Accelerator
from labctl.vm.seed import make_throwaway
from labctl.waiting import Deadline, wait_until

MEMORY_MIB = 1024
CONSOLE_LINES = 15
STOP_SECONDS = 10.0

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\r")
"""What a console's text has for a terminal."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a machine is made of, as options of QEMU."""

    name: str
    disk: Sequence[str]
    card: str
    firmware: Sequence[str] = ()


VIRTIO = Hardware("virtio", ("-device", "virtio-blk-pci,drive=disk"), "virtio-net-pci")
VIRTUALBOX_LIKE = Hardware(
    "ahci and e1000",
    ("-device", "ahci,id=sata", "-device", "ide-hd,drive=disk,bus=sata.0"),
    "e1000",
)
"""What VirtualBox gives a machine of our box, as near as QEMU has it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A machine that answers ssh; `boot_seconds` is how long it took until then."""

    name: str
    ssh: tuple[str | Path, ...]
    boot_seconds: float

    def run(self, script: str, *, timeout: float = 120.0, check: bool = True) -> Result:
        """Run a shell script as root.  Errors: ProcessError."""
        words = [*self.ssh, "sudo", "-n", "/bin/sh", "-s"]
        return process.run(words, stdin=script, timeout=timeout, check=check)


@contextmanager
def booted(
    disk: Path,
    *,
    name: str,
    accelerator: Accelerator,
    scratch: Path,
    hardware: Hardware = VIRTIO,
) -> Iterator[Guest]:
    """Boot a disk (qcow2, or .vmdk), which is left as it is; the machine is gone at the end.

    `scratch` is an existing folder.  Errors: LabError with the console's last lines and its file
    when ssh does not answer in time.
    """
    private = scratch / f"guest-{name}"
    private.mkdir(mode=0o700)
    console = private / "console.log"
    seed, key, host_key = make_throwaway(private, name=name)
    overlay = private / "overlay.qcow2"
    form = "vmdk" if disk.suffix == ".vmdk" else "qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(disk.resolve())]
    process.run([*create, overlay], timeout=60)
    port = free_port()
    command = qemu_command(
        overlay, seed=seed, port=port, console=console, accelerator=accelerator, hardware=hardware
    )
    began = time.monotonic()
    # Ends with this thread: a labctl that is killed leaves no machine behind.
    log = private / "qemu.log"
    pid = process.spawn(["setpriv", "--pdeathsig", "KILL", *command], log=log)
    try:
        deadline = Deadline.after(accelerator.boot_seconds)
        if not wait_until(lambda: _answers(port, pid), deadline=deadline, interval=0.3):
            raise LabError(
                f"'{name}' did not answer ssh within {accelerator.boot_seconds:.0f} s"
                f" ({accelerator}).{_tail(console)}{_tail(log)}",
                hint=f"Its disk is '{disk}'.",
            )
        seconds = time.monotonic() - began
        ssh = _ssh(private, key=key, host_key=host_key, name=name, port=port)
        yield Guest(name, ssh, seconds)
    finally:
        _stop(pid)


def qemu_command(
    disk: Path,
    *,
    seed: Path,
    port: int,
    console: Path,
    accelerator: Accelerator,
    hardware: Hardware,
) -> list[str | Path]:
    """QEMU's command line for a disk (qcow2) and a seed, ssh forwarded to a port on loopback."""
    speed = "host" if accelerator.kvm else "qemu64"
    threads = "" if accelerator.kvm else ",thread=multi"
    return [
        *(QEMU, "-machine", "pc", "-accel", f"{accelerator.name}{threads}", "-cpu", speed),
        *("-smp", "1", "-m", str(MEMORY_MIB), "-display", "none", "-nodefaults", "-no-reboot"),
        *("-drive", f"file={disk},if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap"),
        *hardware.disk,
        *("-drive", f"file={seed},media=cdrom,format=raw,readonly=on"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", f"{hardware.card},netdev=net", "-device", "virtio-rng-pci"),
        *("-serial", f"file:{console}"),
        *hardware.firmware,
    ]


def free_port() -> int:
    """A port on loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def _answers(port: int, pid: int) -> bool:
    """Whether sshd greets; an error when the machine is gone.  QEMU itself takes connections."""
    if not _alive(pid):
        raise LabError("QEMU ended before the machine was up.")
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _stop(pid: int) -> None:
    """Kill our child and take its entry out of the process table."""

    def gone() -> bool:
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True

    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    # Its threads end one after another; until then there is nothing to take.
    wait_until(gone, deadline=Deadline.after(STOP_SECONDS), interval=0.05)


def _tail(log: Path) -> str:
    if not log.is_file():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line for line in ESCAPES.sub("", text).splitlines() if line.strip()]
    return "".join(f"\n    {line}" for line in lines[-CONSOLE_LINES:])
