"""The base of virtual machines: Debian on a disk that boots with BIOS and with UEFI."""

from __future__ import annotations

import json
import os
from pathlib import Path

from labctl.core import process
from labctl.images.debian import Mirror, Release
from labctl.images.packer import TEMPLATES
from labctl.images.rootfs import EPOCH, RootfsJob, make_rootfs

SCRIPTS = (TEMPLATES / "scripts" / "base.sh", TEMPLATES / "scripts" / "vm.sh")
INITRAMFS = TEMPLATES / "disk" / "initramfs.sh"
GRUB_CONFIG = TEMPLATES / "disk" / "grub.cfg"
MAKE_DISK = TEMPLATES / "disk" / "make.sh"

SIZE_MIB = 8192
"""The size that a machine sees; only written blocks use space."""

ROOT_OFFSET = 32 * 1024**2
"""The offset of the ext4 file system of `packer/disk/make.sh`, in bytes."""

DISK_SECONDS = 300.0
QEMU_HINT = "Install the package 'qemu-utils'."

# Debian keeps programs that only root needs out of other users' PATH.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def make_base_disk(
    target: Path, *, mirror: Mirror, release: Release, scratch: Path, log: Path
) -> None:
    """Make a raw, sparse disk at `target`.  Errors: ProcessError with the log."""
    wanted = RootfsJob(
        mirror,
        release,
        packages=(*release.base, *release.disk),
        scripts=SCRIPTS,
        hooks=(INITRAMFS,),
    )
    tree = make_rootfs(wanted, scratch=scratch, log=log)
    process.run(
        disk_command(tree, target=target),
        env={"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": EPOCH, "PATH": PATH},
        log=log,
        timeout=DISK_SECONDS,
        hint="Making a disk needs root, or user namespaces ('uidmap' and an /etc/subuid).",
    )
    tree.unlink()


def read_capacity(disk: Path) -> int:
    """The size in bytes that a guest sees, for a disk image of any format that qemu-img knows."""
    found = process.run(["qemu-img", "info", "--output=json", disk], timeout=60, hint=QEMU_HINT)
    return int(json.loads(found.output)["virtual-size"])


def disk_command(tree: Path, *, target: Path) -> list[str | Path]:
    """The command that runs `packer/disk/make.sh`; files keep their owners in a user namespace."""
    apart = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--"]
    return [*apart, "/bin/sh", MAKE_DISK, tree, GRUB_CONFIG, target, str(SIZE_MIB)]
