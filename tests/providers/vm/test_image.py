"""Disks of virtual machines, really made and really booted; what must not pass does not.

A role's image is baked in an emulated machine, which takes minutes: those tests are long.  The base
that it is baked on is made and booted here every time; the same scripts bake containers in every
run, and `packer validate` reads all sources.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.providers.vm.accel import Accelerator, find_accelerator
from labctl.providers.vm.bootcheck import BootResult, ask_guest, boot_name, check_boots
from labctl.providers.vm.boxes import box_file, registered
from labctl.providers.vm.disk import ROOT_OFFSET, SIZE_MIB, read_capacity
from labctl.providers.vm.inside import find_traces
from labctl.providers.vm.make import MOST_BYTES
from labctl.providers.vm.qemu import VIRTIO, VIRTUALBOX_LIKE, Hardware, booted
from labctl.providers.vm.record import Record, folder_of
from labctl.providers.vm.store import DiskStore
from labctl.topology.spec import ProviderName
from tests.disks import LIBVIRT, ROLE
from tests.prepare import tell

pytestmark = pytest.mark.engine
baked_by_emulation = pytest.mark.long

VIRTUALBOX = DiskStore(ProviderName.VIRTUALBOX)


def qemu_img(*words: str | Path) -> str:
    return subprocess.run(["qemu-img", *words], check=True, capture_output=True, text=True).stdout


def boot_check(disk: Path, scratch: Path, *, hardware: Hardware = VIRTIO) -> BootResult:
    """The boot check, by QEMU on this hardware."""
    accelerator = find_accelerator()
    machine = booted(
        disk, name=boot_name(ROLE), accelerator=accelerator, scratch=scratch, hardware=hardware
    )
    return check_boots(machine, ROLE, accelerator=accelerator, hardware=hardware.name)


@baked_by_emulation
def test_it_is_an_image_because_it_has_booted(record: Record) -> None:
    assert record.boot["boot_seconds"] > 0
    assert record.boot["accelerator"] == str(find_accelerator())
    assert 100_000_000 < record.disk.bytes <= MOST_BYTES
    assert read_capacity(folder_of(record.reference) / record.disk.name) == SIZE_MIB * 1024**2
    packages = LIBVIRT.packages(record.reference)
    assert packages["jitsi-videobridge2"].stand_in
    assert record.reference in LIBVIRT.local()
    assert LIBVIRT.verify(record.reference) == []


@baked_by_emulation
def test_vagrant_has_the_libvirt_box(record: Record, disk: Path) -> None:
    folder = registered(record.reference, ProviderName.LIBVIRT)
    assert folder is not None
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata == {"provider": "libvirt", "format": "qcow2", "virtual_size": 8}
    assert (folder / "box.img").read_bytes() == disk.read_bytes()


@baked_by_emulation
def test_its_disk_holds_files_and_no_more(disk: Path, tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    qemu_img("convert", "-S", "64k", "-O", "raw", disk, raw)
    assert find_traces(raw, scratch=tmp_path / "clean") == []
    # The same look finds what is put there.
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    write = f"write {tmp_path / 'key'} /etc/ssh/ssh_host_ed25519_key"
    image = f"{raw}?offset={ROOT_OFFSET}"
    subprocess.run(["/usr/sbin/debugfs", "-w", "-R", write, image], check=True, capture_output=True)
    assert find_traces(raw, scratch=tmp_path / "dirty") == [
        "ssh host keys: /etc/ssh/ssh_host_ed25519_key",
        "private keys or passwords: /etc/ssh/ssh_host_ed25519_key",
    ]
    raw.unlink()


@baked_by_emulation
def test_the_virtualbox_box_has_the_same_disk_which_boots_on_such_hardware(
    record: Record, disk: Path, tmp_path: Path
) -> None:
    assert record.reference not in VIRTUALBOX.local()
    plan_roles = {ROLE: record.reference}
    VIRTUALBOX._make_box(plan_roles[ROLE], ROLE, logs=tmp_path, progress=tell)
    assert record.reference in VIRTUALBOX.local() & LIBVIRT.local()
    assert VIRTUALBOX.verify(record.reference) == []
    with tarfile.open(box_file(record, ProviderName.VIRTUALBOX)) as archive:
        archive.extractall(tmp_path / "box", filter="data")
    (vmdk,) = (tmp_path / "box").glob("*.vmdk")
    assert "streamOptimized" in qemu_img("info", vmdk)
    qemu_img("compare", disk, vmdk)
    assert boot_check(vmdk, tmp_path, hardware=VIRTUALBOX_LIKE).boot_seconds > 0


def test_the_base_boots_on_such_hardware_as_virtualboxs_and_its_machine_goes(
    base_disk: Path, tmp_path: Path
) -> None:
    """It is no role's image: what the boot check looks for is not there."""
    name, accelerator = f"gone-{time.monotonic_ns()}", find_accelerator()
    booting = booted(
        base_disk, name=name, accelerator=accelerator, scratch=tmp_path, hardware=VIRTUALBOX_LIKE
    )
    with pytest.raises(KeyboardInterrupt), booting as guest:
        problems = ask_guest(guest, ROLE, patience=accelerator.patience)
        assert problems == ["there is no unit 'jitsi-videobridge2'"]
        assert guest.run("test -w /etc/ssh/lab/hostname", check=False).code != 0
        raise KeyboardInterrupt
    running = subprocess.run(["pgrep", "-f", f"guest-{name}"], capture_output=True)
    assert running.returncode == 1


class Impatient(Accelerator):
    """One that gives a machine a few seconds."""

    @property
    def boot_seconds(self) -> float:
        return 4.0


def test_a_disk_that_does_not_boot_is_told_with_its_console(tmp_path: Path) -> None:
    disk = tmp_path / "empty.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", disk, "64M")
    accelerator = find_accelerator()
    with (
        pytest.raises(LabError, match="'x' did not answer ssh within 4 s") as caught,
        booted(
            disk,
            name="x",
            accelerator=Impatient(accelerator.name, ""),
            scratch=tmp_path,
        ),
    ):
        pytest.fail("it cannot boot")
    assert caught.value.hint == f"Its disk is '{disk}'."


@baked_by_emulation
def test_a_damaged_disk_is_noticed(record: Record, disk: Path) -> None:
    with disk.open("r+b") as file:
        file.seek(record.disk.bytes // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    try:
        assert LIBVIRT.verify(record.reference) == [
            f"'{disk}' has changed since it was made: its SHA-256 is different."
        ]
    finally:
        with disk.open("r+b") as file:
            file.seek(record.disk.bytes // 2)
            file.write(byte)
    assert LIBVIRT.verify(record.reference) == []
