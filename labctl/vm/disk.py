"""The base of virtual machines: a Debian tree on a disk that boots by BIOS and by UEFI."""

from __future__ import annotations

import json
import os
from pathlib import Path

from labctl import process
from labctl.debian import Mirror, Release
from labctl.packer import TEMPLATES
from labctl.tree import EPOCH, TreeJob, make_tree

SCRIPTS = (TEMPLATES / "scripts" / "base.sh", TEMPLATES / "scripts" / "vm.sh")
INITRAMFS = TEMPLATES / "disk" / "initramfs.sh"
GRUB_CONFIG = TEMPLATES / "disk" / "grub.cfg"
MAKE_DISK = TEMPLATES / "disk" / "make.sh"

SIZE_MIB = 8192
"""Size that a machine sees; only what is written takes room."""

ROOT_OFFSET = 32 * 1024**2
"""Where the ext4 of `packer/disk/make.sh` begins, in bytes."""

DISK_SECONDS = 300.0
QEMU_HINT = "Install the package 'qemu-utils'."

# Debian keeps what only root needs out of other users' PATH.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def make_base_disk(
    target: Path, *, mirror: Mirror, release: Release, scratch: Path, log: Path
) -> None:
    """Make a raw, sparse disk at `target`.  Errors: ProcessError with the log."""
    wanted = TreeJob(
        mirror,
        release,
        packages=(*release.base, *release.disk),
        scripts=SCRIPTS,
        hooks=(INITRAMFS,),
    )
    tree = make_tree(wanted, scratch=scratch, log=log)
    process.run(
        disk_command(tree, target=target),
        env={"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": EPOCH, "PATH": PATH},
        log=log,
        timeout=DISK_SECONDS,
        hint="Making a disk needs root, or user namespaces ('uidmap' and an /etc/subuid).",
    )
    tree.unlink()


def read_capacity(disk: Path) -> int:
    """The bytes that a guest sees of a disk image of any format that qemu-img knows."""
    found = process.run(["qemu-img", "info", "--output=json", disk], timeout=60, hint=QEMU_HINT)
    return int(json.loads(found.output)["virtual-size"])


def disk_command(tree: Path, *, target: Path) -> list[str | Path]:
    """The call of `packer/disk/make.sh`; files keep their owners in a namespace of our own, too."""
    apart = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", "--"]
    return [*apart, "/bin/sh", MAKE_DISK, tree, GRUB_CONFIG, target, str(SIZE_MIB)]
