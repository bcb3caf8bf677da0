"""Bake a role in a virtual machine with Packer, whatever runs the machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.images import packer
from labctl.images.bakeinput import BakeInput, save_input
from labctl.providers.vm.accel import Accelerator
from labctl.providers.vm.seed import make_throwaway
from labctl.topology.spec import Role

NAMESERVER = "10.0.2.3"
"""The forwarder in QEMU's user network; VirtualBox's NAT has one at the same address."""

GATEWAY = "10.0.2.2"
LOOPBACK = re.compile(r"(://(?:[^/@\s]*@)?)(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/\s\"]|$)")

MEMORY_MIB = 1536


@dataclass(frozen=True, slots=True)
class DiskBake:
    """One bake: what to install, on which disk (qcow2), with which accelerator, and its log."""

    given: BakeInput
    base: Path
    accelerator: Accelerator
    log: Path

    @property
    def role(self) -> Role:
        return self.given.role


@dataclass(frozen=True, slots=True)
class BakedDisk:
    """The result: a disk that qemu-img can read, and the versions of all packages in it."""

    disk: Path
    versions: Mapping[str, str]


def build(
    source: str,
    job: DiskBake,
    own: Mapping[str, str],
    *,
    scratch: Path,
    tell: Callable[[str], object],
) -> Path:
    """Build one of Packer's sources; returns the folder with the resulting machine.

    `own` are variables that this source needs in addition to those of all machines; `tell` is
    called with each step.  Errors: LabError with the log's path and its last lines.
    """
    save_input(job.given, folder=scratch / "input")
    for name in ("debian.sources", "labctl-bake.sources", "apt.conf"):
        file = scratch / "input" / name
        file.write_text(seen_from_inside(file.read_text(encoding="utf-8")), encoding="utf-8")
    private = scratch / "private"
    private.mkdir(mode=0o700)
    seed, key, _ = make_throwaway(private, name=f"bake-{job.role}")
    variables = {
        **packer.common_variables(job.given, scratch=scratch),
        "machine": f"labctl-bake-{job.role}",
        "seed": str(seed),
        "ssh_key": str(key),
        "ssh_timeout": f"{job.accelerator.boot_seconds:.0f}s",
        "nameserver": NAMESERVER,
        "memory_mib": str(MEMORY_MIB),
        **own,
    }
    seconds = packer.BAKE_SECONDS * job.accelerator.patience
    result = packer.build(
        source, variables, scratch=scratch, log=job.log, keep=False, tell=tell, seconds=seconds
    )
    if result.code != 0:
        raise packer.bake_error(job.role, result, log=job.log)
    return packer.output(scratch) / "machine"


def seen_from_inside(text: str) -> str:
    """Replace this machine's loopback address by the guest's gateway.

    In QEMU's user network and VirtualBox's NAT, a guest reaches a mirror or proxy on this machine
    at its gateway.
    """
    return LOOPBACK.sub(rf"\g<1>{GATEWAY}", text)
