"""What bakes and boots disks on this machine: QEMU, or VirtualBox where there is no QEMU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from labctl.model import Role
from labctl.privilege import find_program
from labctl.virtualbox.manage import COMMAND
from labctl.vm import qemubake, virtualboxbake, virtualboxguest
from labctl.vm.accel import QEMU, Accelerator, find_accelerator
from labctl.vm.bake import BakedDisk, DiskBake
from labctl.vm.gate import gate_name
from labctl.vm.guest import Guest
from labctl.vm.qemu import VIRTIO, booted

Bake = Callable[[DiskBake, Path, Callable[[str], object]], BakedDisk]
"""Bakes below an empty folder and tells its steps."""

Boot = Callable[[Path, Role, Accelerator, Path], AbstractContextManager[Guest]]
"""Boots a disk (qcow2) of a role once, below an existing folder."""


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """One of them: how fast it is, what it gives a machine, how it bakes and boots."""

    accelerator: Accelerator
    hardware: str
    bake: Bake
    boot: Boot


def find_hypervisor() -> Hypervisor:
    """QEMU wherever it is installed: it boots what it has baked without a kernel module."""
    if find_program(QEMU) is None and find_program(COMMAND) is not None:
        return Hypervisor(
            Accelerator("virtualbox", f"'{QEMU}' is not installed"),
            virtualboxguest.HARDWARE,
            virtualboxbake.bake,
            virtualboxguest.boot,
        )
    return Hypervisor(find_accelerator(), VIRTIO.name, qemubake.bake, _boot_by_qemu)


def _boot_by_qemu(
    disk: Path, role: Role, accelerator: Accelerator, scratch: Path
) -> AbstractContextManager[Guest]:
    return booted(disk, name=gate_name(role), accelerator=accelerator, scratch=scratch)
