"""Packer's virtualbox-ovf source, for machines with VirtualBox only: the same base as an OVF.

Not yet run to its end; see docs/providers.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labctl.core.errors import LabError
from labctl.images import packer
from labctl.providers.vm.bake import MEMORY_MIB, BakedDisk, DiskBake, build
from labctl.providers.vm.ovf import make_appliance

SOURCE = "virtualbox-ovf.role"


def bake(job: DiskBake, scratch: Path, tell: Callable[[str], object]) -> BakedDisk:
    """Bake one role's disk below `scratch`, an empty folder of ours; see `build`."""
    folder = scratch / "base"
    folder.mkdir()
    ovf, *_ = make_appliance(
        job.base,
        reference=f"labctl-bake-{job.role}",
        role=job.role,
        memory_mib=MEMORY_MIB,
        cpus=1,
        folder=folder,
        log=job.log,
    )
    machine = build(SOURCE, job, {"base": str(ovf)}, scratch=scratch, tell=tell)
    return BakedDisk(exported_disk(machine), packer.load_installed(scratch))


def exported_disk(folder: Path) -> Path:
    """The disk in Packer's export.  Errors: LabError if there is not exactly one."""
    disks = sorted(folder.glob("*.vmdk"))
    if len(disks) != 1:
        names = ", ".join(f"'{disk.name}'" for disk in disks) or "none"
        raise LabError(f"Packer's export in '{folder}' should hold one disk, but holds {names}.")
    return disks[0]
