"""A VirtualBox box from a baked disk: stream-optimised VMDK, OVF 1.0, manifest, Vagrantfile.

The OVF says what a machine is before Vagrant sets the lab's own: Debian, one AHCI controller, two
Ethernet adapters (NAT, and the lab's), no sound, no USB, no floppy.  It has no section of
VirtualBox's own format, so that every version reads it.  The second adapter is joined to nothing:
as "host-only" VirtualBox would join it to any such interface that there is, and the image's master
would seem to use that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from labctl.model import Role
from labctl.process import run
from labctl.virtualbox.inventory import description_of
from labctl.vm.archive import digest, write_archive
from labctl.vm.disk import QEMU_HINT, read_capacity
from labctl.workdir import write_file

OS_TYPE = "Debian_64"
CIM_ID = 96
"""DMTF's number for 64-bit Debian in CIM_OperatingSystem.OSType."""

DISK_FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
ADAPTER = "E1000"
"""What every version of VirtualBox knows in an OVF; the Vagrantfile makes it virtio."""

LAB_NETWORK = "Null"
"""VirtualBox's word for an adapter that is joined to nothing; a name that it does not know it takes
for a bridge to this machine's own network."""

BASE_MAC = "080027C0FFEE"
"""Of adapter 1, behind a NAT of its own; 08:00:27 is VirtualBox's range."""

CONVERT_SECONDS = 600.0
END_OF_STREAM = bytes(512)
"""The marker that ends a stream-optimised VMDK.  qemu-img 7.2 leaves it out, and VirtualBox 7.2
then refuses some disks (VERR_EOF), depending on their last bytes; a second one does no harm."""

DISK_FILE, OVF_FILE, MANIFEST_FILE = "box-disk001.vmdk", "box.ovf", "box.mf"


@dataclass(frozen=True, slots=True)
class Disk:
    """The one disk of a box: bytes that the guest sees, bytes of the VMDK file."""

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
    """Make the box `target` from a disk image; `reference` becomes the name of the machine in it.

    Writes below `scratch` first; `target` is there whole or not at all.  Errors: LabError when
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
    """Make what VirtualBox imports: the OVF, its manifest and its VMDK, in this order.

    `disk` may have any format that qemu-img knows by itself.  Errors: ProcessError.
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
        _environment()
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
    """The Vagrantfile in a box: what Vagrant cannot do without."""
    template = _environment().get_template("box/Vagrantfile.j2")
    return template.render(base_mac=BASE_MAC, reference=reference)


def render_manifest(files: list[Path]) -> str:
    """The OVF manifest: a SHA-256 sum per file, which VirtualBox checks at import."""
    return "".join(f"SHA256({file.name})= {digest(file)}\n" for file in files)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("labctl"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
