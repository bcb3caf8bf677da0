"""Packer's qemu source: it boots a copy of the base disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labctl.images import packer
from labctl.providers.vm.bake import BakedDisk, DiskBake, build
from labctl.providers.vm.disk import SIZE_MIB

SOURCE = "qemu.role"


def bake(job: DiskBake, scratch: Path, tell: Callable[[str], object]) -> BakedDisk:
    """Bake one role's disk below `scratch`, an empty folder of ours; see `build`."""
    own = {
        "base": str(job.base),
        "disk_mib": str(SIZE_MIB),
        "accelerator": job.accelerator.name,
    }
    machine = build(SOURCE, job, own, scratch=scratch, tell=tell)
    return BakedDisk(machine / "disk.qcow2", packer.load_installed(scratch))
