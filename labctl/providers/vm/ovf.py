"""A VirtualBox box from a baked disk: stream-optimised VMDK, OVF 1.0, manifest, Vagrantfile.

The OVF describes a machine before Vagrant adds the lab's settings: Debian, one AHCI controller, two
Ethernet adapters (NAT, and the lab's), no sound, no USB, no floppy.  It has no section in
VirtualBox's own format, so every version can read it.  The second adapter is not attached: as a
"host-only" adapter, VirtualBox would attach it to any host-only interface, and the image's master
would seem to use that interface.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from labctl.core.files import write_file
from labctl.core.process import run
from labctl.core.templates import make_environment
from labctl.providers.virtualbox.inventory import description_of
from labctl.providers.vm.archive import digest, write_archive
from labctl.providers.vm.disk import QEMU_HINT, read_capacity
from labctl.topology.spec import Role

OS_TYPE = "Debian_64"
CIM_ID = 96
"""DMTF's number for 64-bit Debian in CIM_OperatingSystem.OSType."""

DISK_FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
ADAPTER = "E1000"
"""Every version of VirtualBox knows it in an OVF; the Vagrantfile changes it to virtio."""

LAB_NETWORK = "Null"
"""VirtualBox's word for an adapter that is not attached.  It takes any name that it does not know
for a bridge to this machine's own network."""

BASE_MAC = "080027C0FFEE"
"""The MAC of adapter 1, behind its own NAT; 08:00:27 is VirtualBox's range."""

CONVERT_SECONDS = 600.0
END_OF_STREAM = bytes(512)
"""The marker that ends a stream-optimised VMDK.  qemu-img 7.2 leaves it out, and VirtualBox 7.2
then refuses some disks (VERR_EOF), depending on their last bytes.  A second marker does no harm."""

DISK_FILE, OVF_FILE, MANIFEST_FILE = "box-disk001.vmdk", "box.ovf", "box.mf"


@dataclass(frozen=True, slots=True)
class Disk:
    """The only disk of a box: its size in bytes for the guest, and the size of the VMDK file."""

    capacity: int
    file_bytes: int


def make_virtualbox_box(
    disk: Path,
    *,
    reference: str,
    role: Role,
    memory_mib: int,
    cpus: int,
    target: Path,
    scratch: Path,
    log: Path,
) -> None:
    """Make the box `target` from a disk image; `reference` becomes the name of its machine.

    Writes below `scratch` first, so `target` is complete or does not exist.  Errors: LabError if
    qemu-img fails or a disk is full.
    """
    appliance = make_appliance(
        disk,
        reference=reference,
        role=role,
        memory_mib=memory_mib,
        cpus=cpus,
        folder=scratch,
        log=log,
    )
    write_file(scratch / "metadata.json", json.dumps({"provider": "virtualbox"}) + "\n")
    write_file(scratch / "Vagrantfile", render_vagrantfile(reference))
    files = [scratch / "metadata.json", scratch / "Vagrantfile", *appliance]
    write_archive({file.name: file for file in files}, target=target)


def make_appliance(
    disk: Path,
    *,
    reference: str,
    role: Role,
    memory_mib: int,
    cpus: int,
    folder: Path,
    log: Path,
) -> list[Path]:
    """Make the files that VirtualBox imports: the OVF, its manifest and its VMDK, in this order.

    `disk` may have any format that qemu-img detects.  Errors: ProcessError.
    """
    ovf, manifest, vmdk = folder / OVF_FILE, folder / MANIFEST_FILE, folder / DISK_FILE
    convert = ["qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized"]
    run([*convert, disk, vmdk], timeout=CONVERT_SECONDS, log=log, hint=QEMU_HINT)
    with vmdk.open("ab") as file:
        file.write(END_OF_STREAM)
    size = Disk(capacity=read_capacity(disk), file_bytes=vmdk.stat().st_size)
    text = render_ovf(size, reference=reference, role=role, memory_mib=memory_mib, cpus=cpus)
    write_file(ovf, text)
    write_file(manifest, render_manifest([ovf, vmdk]))
    return [ovf, manifest, vmdk]


def render_ovf(disk: Disk, *, reference: str, role: Role, memory_mib: int, cpus: int) -> str:
    """The OVF of a box."""
    return (
        make_environment(markup=True)
        .get_template("box/box.ovf.j2")
        .render(
            adapter=ADAPTER,
            lab_network=LAB_NETWORK,
            annotation=description_of(reference),
            capacity=disk.capacity,
            cim_id=CIM_ID,
            cpus=cpus,
            disk_bytes=disk.file_bytes,
            disk_file=DISK_FILE,
            disk_format=DISK_FORMAT,
            memory_mib=memory_mib,
            os_type=OS_TYPE,
            reference=reference,
            role=role,
        )
    )


def render_vagrantfile(reference: str) -> str:
    """The Vagrantfile in a box, with the minimum that Vagrant needs.

    Errors: ValueError for text that is not a reference of an image; the file is Ruby.
    """
    if not _REFERENCE.fullmatch(reference):
        raise ValueError(f"{reference!r} is not a reference of an image")
    template = make_environment(markup=True).get_template("box/Vagrantfile.j2")
    return template.render(base_mac=BASE_MAC, reference=reference)


def render_manifest(files: list[Path]) -> str:
    """The OVF manifest: a SHA-256 sum per file, which VirtualBox checks at import."""
    return "".join(f"SHA256({file.name})= {digest(file)}\n" for file in files)


_REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]*")
