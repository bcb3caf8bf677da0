"""What bakes and boots disks on this machine: QEMU, or VirtualBox if there is no QEMU."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from labctl.core.privilege import find_program
from labctl.providers.virtualbox.manage import COMMAND
from labctl.providers.vm import qemubake, virtualboxbake, virtualboxguest
from labctl.providers.vm.accel import QEMU, Accelerator, find_accelerator
from labctl.providers.vm.bake import BakedDisk, DiskBake
from labctl.providers.vm.bootcheck import boot_name
from labctl.providers.vm.guest import Guest
from labctl.providers.vm.qemu import VIRTIO, booted
from labctl.topology.spec import Role

Bake = Callable[[DiskBake, Path, Callable[[str], object]], BakedDisk]
"""Bakes below an empty folder and reports its steps."""

Boot = Callable[[Path, Role, Accelerator, Path], AbstractContextManager[Guest]]
"""Boots a disk (qcow2) of a role once, below an existing folder."""


@dataclass(frozen=True, slots=True)
class Hypervisor:
    """A hypervisor: its speed, the hardware of its machines, how it bakes and boots."""

    accelerator: Accelerator
    hardware: str
    bake: Bake
    boot: Boot


def find_hypervisor() -> Hypervisor:
    """QEMU if it is installed, because it needs no kernel module; else VirtualBox."""
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
    return booted(disk, name=boot_name(role), accelerator=accelerator, scratch=scratch)
