"""A role baked in a virtual machine: Packer's qemu source on the base disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import packer
from labctl.bakeinput import BakeInput, save_input
from labctl.model import Role
from labctl.vm.accel import Accelerator
from labctl.vm.seed import make_throwaway

SOURCE = "qemu.role"

NAMESERVER = "10.0.2.3"
"""QEMU's own forwarder in its user network; VirtualBox's NAT has it at the same address."""

MEMORY_MIB = 1536


@dataclass(frozen=True, slots=True)
class DiskBake:
    """One bake: what is installed, on which disk (qcow2), by which accelerator, and its log."""

    given: BakeInput
    base: Path
    accelerator: Accelerator
    log: Path

    @property
    def role(self) -> Role:
        return self.given.role


@dataclass(frozen=True, slots=True)
class BakedDisk:
    """What came of it: a disk (qcow2), and the versions of all packages in it."""

    disk: Path
    versions: Mapping[str, str]


def bake(job: DiskBake, *, scratch: Path, tell: Callable[[str], object]) -> BakedDisk:
    """Bake one role's disk below `scratch`, an empty folder of ours; `tell` hears of each step.

    Errors: LabError with the log's place and its last lines.
    """
    save_input(job.given, folder=scratch / "input")
    private = scratch / "private"
    private.mkdir(mode=0o700)
    seed, key, _ = make_throwaway(private, name=f"bake-{job.role}")
    variables = {
        **packer.common_variables(job.given, scratch=scratch),
        "base": str(job.base),
        "machine": f"labctl-bake-{job.role}",
        "seed": str(seed),
        "ssh_key": str(key),
        "ssh_timeout": f"{job.accelerator.boot_seconds:.0f}s",
        "accelerator": job.accelerator.name,
        "nameserver": NAMESERVER,
        "memory_mib": str(MEMORY_MIB),
    }
    seconds = packer.BAKE_SECONDS * job.accelerator.patience
    result = packer.build(
        SOURCE, variables, scratch=scratch, log=job.log, keep=False, tell=tell, seconds=seconds
    )
    if result.code != 0:
        raise packer.bake_error(job.role, result, log=job.log)
    disk = packer.output(scratch) / "machine" / "disk.qcow2"
    return BakedDisk(disk, packer.load_installed(scratch))
