"""Machines that QEMU runs for a short time; they end with the thread that started them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.pids import start_ticks
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.vm.accel import QEMU, Accelerator
from labctl.providers.vm.guest import MEMORY_MIB, Guest, make_setup, wait_guest

STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """The hardware of a machine, as options of QEMU."""

    name: str
    disk: Sequence[str]
    card: str
    firmware: Sequence[str] = ()
    memory_mib: int = MEMORY_MIB
    cpus: int = 1


VIRTIO = Hardware("virtio", ("-device", "virtio-blk-pci,drive=disk"), "virtio-net-pci")
VIRTUALBOX_LIKE = Hardware(
    "ahci and e1000",
    ("-device", "ahci,id=sata", "-device", "ide-hd,drive=disk,bus=sata.0"),
    "e1000",
)
"""The hardware that VirtualBox gives a machine of our box, as far as QEMU has it."""


@contextmanager
def booted(
    disk: Path,
    *,
    name: str,
    accelerator: Accelerator,
    scratch: Path,
    hardware: Hardware = VIRTIO,
) -> Iterator[Guest]:
    """Boot a disk (qcow2 or .vmdk), which is not changed; the machine is removed at the end.

    `scratch` is an existing folder.  Errors: those of `wait_guest`.
    """
    start = make_setup(name, scratch=scratch)
    overlay = start.folder / "overlay.qcow2"
    form = "vmdk" if disk.suffix == ".vmdk" else "qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(disk.resolve())]
    process.run([*create, overlay], timeout=60)
    command = qemu_command(
        overlay,
        seed=start.seed,
        port=start.port,
        console=start.console,
        accelerator=accelerator,
        hardware=hardware,
    )
    # So a killed labctl leaves no machine behind.
    wrapped = ["setpriv", "--pdeathsig", "KILL", *command]
    pid = process.spawn(wrapped, log=start.folder / "qemu.log")
    try:
        yield wait_guest(
            start,
            accelerator=accelerator,
            alive=lambda: start_ticks(pid) is not None,
            disk=disk,
        )
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
        *("-smp", str(hardware.cpus), "-m", str(hardware.memory_mib), "-display", "none"),
        *("-nodefaults", "-no-reboot"),
        *("-drive", f"file={disk},if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap"),
        *hardware.disk,
        *("-drive", f"file={seed},media=cdrom,format=raw,readonly=on"),
        *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", f"{hardware.card},netdev=net", "-device", "virtio-rng-pci"),
        *("-serial", f"file:{console}"),
        *hardware.firmware,
    ]


def _stop(pid: int) -> None:
    """Kill our child process and reap it."""

    def gone() -> bool:
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True

    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    # Its threads end one after another; until then it cannot be reaped.
    wait_until(gone, deadline=Deadline.after(STOP_SECONDS), interval=0.05)
