"""Commands and files that the machine must have for a provider, and Debian's packages for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.docker.engine import Answer, ask_engine
from labctl.privilege import find_program

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
PACKER_ELSEWHERE = (
    "Debian 13 has no 'packer': take it from HashiCorp's repository,"
    " https://developer.hashicorp.com/packer/install."
)
VIRTUALBOX_ELSEWHERE = (
    "Debian's stable releases have no 'virtualbox': take it from Oracle,"
    " https://www.virtualbox.org/wiki/Linux_Downloads, or from 'contrib' of sid or fasttrack."
)


def has_no_virtualbox() -> bool:
    return find_program("VBoxManage") is None


def always() -> bool:
    return True


def has_apparmor() -> bool:
    """Whether the kernel enforces AppArmor; the engine then refuses to start without its tool."""
    return APPARMOR.is_file() and APPARMOR.read_text(encoding="utf-8").startswith("Y")


def is_plain_user() -> bool:
    return os.geteuid() != 0


def has_no_engine() -> bool:
    """Whether there is neither an engine that answers nor one that could be started."""
    return find_program("dockerd") is None and ask_engine().answer is Answer.NONE


@dataclass(frozen=True, slots=True)
class Need:
    """A command that labctl runs (or, with `file`, something else of a package), and its source.

    Of `packages` those are installed that this Debian has.  `version` are the arguments that make
    the command tell its version.  `file` is a pattern below `/`: the need is met where it finds
    something.  `when` says whether this machine needs it, `borrowed` is the Debian suite that has
    the package where this one has not, `elsewhere` the advice where that fails, too.
    """

    name: str
    packages: tuple[str, ...]
    why: str
    version: tuple[str, ...] | None = ("--version",)
    file: str | None = None
    when: Callable[[], bool] = always
    borrowed: str | None = None
    elsewhere: str | None = None

    def find(self) -> str | None:
        """Where it is on this machine; None where it is missing."""
        if self.file is None:
            return find_program(self.name)
        return next(map(str, sorted(Path("/").glob(self.file.lstrip("/")))), None)


EVERY_PROVIDER = (
    Need("vagrant", ("vagrant",), "makes, starts and removes the nodes"),
    Need(
        "packer",
        ("packer",),
        "bakes the images of the roles",
        version=("version",),
        # A static program that needs nothing but libc6, so the older release's runs as well.
        borrowed="bookworm",
        elsewhere=PACKER_ELSEWHERE,
    ),
    Need("mmdebstrap", ("mmdebstrap",), "makes the Debian tree that the images start from"),
    Need(
        "newuidmap",
        ("uidmap",),
        "lets mmdebstrap work without root",
        version=None,
        when=is_plain_user,
    ),
    Need("ssh", ("openssh-client",), "reaches the nodes", version=("-V",)),
    Need("ssh-keygen", ("openssh-client",), "makes a lab's keys", version=None),
    Need("ip", ("iproute2",), "tells whether the lab's network is free", version=("-V",)),
)
# Debian 12 has client and engine in one package, Debian 13 in two.
DOCKER = (
    Need("docker", ("docker.io", "docker-cli"), "runs the nodes as containers"),
    Need("dockerd", ("docker.io",), "is the engine of the containers", when=has_no_engine),
    Need("apparmor_parser", ("apparmor",), "is wanted by the engine here", when=has_apparmor),
    *EVERY_PROVIDER,
)
# What makes a bootable disk of a Debian tree, without an installer, loop devices or mounts.
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
    Need(
        "xorriso", ("xorriso",), "makes the disc that tells a node who it is", version=("-version",)
    ),
)
QEMU = Need("qemu-system-x86_64", ("qemu-system-x86",), "runs virtual machines")
LIBVIRT = (
    QEMU,
    Need("libvirtd", ("libvirt-daemon-system",), "keeps the virtual machines"),
    Need(
        "libvirt's QEMU driver",
        ("libvirt-daemon-driver-qemu",),
        "lets libvirt run virtual machines",
        file="/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so",
    ),
    Need("virsh", ("libvirt-clients",), "talks to libvirt"),
    Need("dnsmasq", ("dnsmasq-base",), "gives nodes their addresses"),
    Need(
        "vagrant-libvirt",
        ("vagrant-libvirt",),
        "lets Vagrant talk to libvirt",
        file="/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json",
    ),
    *DISKS,
    *EVERY_PROVIDER,
)
# For whoever makes boxes, for this machine or for others: one hypervisor is enough.
DISK_IMAGES = (replace(QEMU, when=has_no_virtualbox), *DISKS, *EVERY_PROVIDER)
VIRTUALBOX = (
    Need("VBoxManage", ("virtualbox",), "runs the nodes", elsewhere=VIRTUALBOX_ELSEWHERE),
    *DISKS,
    *EVERY_PROVIDER,
)
