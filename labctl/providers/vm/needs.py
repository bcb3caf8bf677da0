"""Programs that this machine needs to make bootable disks and boxes."""

from __future__ import annotations

from dataclasses import replace

from labctl.core.privilege import find_program
from labctl.host.needs import EVERY_PROVIDER, Need


def has_no_virtualbox() -> bool:
    return find_program("VBoxManage") is None


# These make a bootable disk from a Debian tree, without an installer, loop devices or mounts.
DISKS = (
    Need("qemu-img", ("qemu-utils",), "makes and converts disks"),
    Need("mke2fs", ("e2fsprogs",), "fills a disk's file system", version=("-V",)),
    Need("mkfs.vfat", ("dosfstools",), "makes the partition that UEFI boots from", version=None),
    Need("mcopy", ("mtools",), "fills the partition that UEFI boots from"),
    Need("sfdisk", ("fdisk",), "writes a disk's partition table"),
    Need("grub-mkimage", ("grub-common",), "makes a disk's boot loader"),
    Need(
        "GRUB for BIOS",
        ("grub-pc-bin",),
        "is the boot loader of disks",
        file="/usr/lib/grub/i386-pc/boot.img",
    ),
    Need(
        "GRUB for UEFI",
        ("grub-efi-amd64-bin",),
        "is the boot loader of disks",
        file="/usr/lib/grub/x86_64-efi/kernel.img",
    ),
    Need("xorriso", ("xorriso",), "makes the disc with a node's identity", version=("-version",)),
)
QEMU = Need("qemu-system-x86_64", ("qemu-system-x86",), "runs virtual machines")
# For making boxes, for this machine or for others; one hypervisor is enough.
DISK_IMAGES = (replace(QEMU, when=has_no_virtualbox), *DISKS, *EVERY_PROVIDER)
