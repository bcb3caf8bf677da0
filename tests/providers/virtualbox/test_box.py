"""A box, read by the real VirtualBox."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from labctl.providers.virtualbox.inventory import description_of
from labctl.providers.virtualbox.manage import parse_info
from labctl.providers.vm.ovf import BASE_MAC, DISK_FILE, MANIFEST_FILE, OVF_FILE
from tests.providers.virtualbox.box import VirtualBox
from tests.providers.virtualbox.conftest import Box

pytestmark = [pytest.mark.engine, pytest.mark.virtualbox, pytest.mark.slow]


def test_a_box_holds_what_vagrant_needs_and_tells_nothing_of_this_machine(box: Box) -> None:
    with tarfile.open(box.file) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == [
        "metadata.json",
        "Vagrantfile",
        OVF_FILE,
        MANIFEST_FILE,
        DISK_FILE,
    ]
    assert {(e.uid, e.gid, e.uname, e.mtime, e.mode) for e in entries} == {
        (0, 0, "root", 1767225600, 0o644)
    }
    assert json.loads((box.parts / "metadata.json").read_text()) == {"provider": "virtualbox"}
    assert f'base_mac = "{BASE_MAC}"' in (box.parts / "Vagrantfile").read_text()
    assert not list(box.file.parent.glob(".*.part"))


def test_the_manifest_sums_up_the_description_and_the_disk(box: Box) -> None:
    lines = (box.parts / MANIFEST_FILE).read_text().splitlines()
    sums = dict(re.fullmatch(r"SHA256\((.+)\)= ([0-9a-f]{64})", line).groups() for line in lines)  # type: ignore[union-attr]
    assert sums == {
        name: hashlib.sha256((box.parts / name).read_bytes()).hexdigest()
        for name in (OVF_FILE, DISK_FILE)
    }


def test_the_disk_is_stream_optimised_and_its_figures_are_right(box: Box) -> None:
    command = ["qemu-img", "info", "--output=json", str(box.parts / DISK_FILE)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert found["format-specific"]["data"]["create-type"] == "streamOptimized"
    ovf = (box.parts / OVF_FILE).read_text()
    assert f'ovf:capacity="{found["virtual-size"]}"' in ovf
    assert f'ovf:size="{(box.parts / DISK_FILE).stat().st_size}"' in ovf


def test_virtualbox_imports_a_box_as_it_was_asked_for(virtualbox: VirtualBox, box: Box) -> None:
    virtualbox.manage("import", box.parts / OVF_FILE)
    try:
        info = parse_info(virtualbox.manage("showvminfo", box.reference, "--machinereadable"))
    finally:
        virtualbox.manage("unregistervm", box.reference, "--delete")
    wanted = {
        "name": box.reference,
        "description": description_of(box.reference),
        "ostype": "Debian (64-bit)",
        "memory": str(box.memory_mib),
        "cpus": str(box.cpus),
        "firmware": "BIOS",
        "longmode": "on",
        "ioapic": "on",
        "rtcuseutc": "on",
        "nic1": "nat",
        "nictype1": "82540EM",
        "nic2": "null",
        "nictype2": "82540EM",
        "storagecontrollername0": "SATA",
        "storagecontrollertype0": "IntelAhci",
        "uart1": "off",
        "audio_in": "off",
        "audio_out": "off",
        "usb": "off",
        "ehci": "off",
        "xhci": "off",
        "vrde": "off",
        "VMState": "poweroff",
    }
    assert {key: info.get(key) for key in wanted} == wanted
    assert Path(info["SATA-0-0"]).name == DISK_FILE
    assert "storagecontrollername1" not in info


def test_virtualbox_refuses_a_box_that_was_damaged(
    virtualbox: VirtualBox, box: Box, tmp_path: Path
) -> None:
    folder = virtualbox.folder / tmp_path.name
    folder.mkdir()
    for name in (OVF_FILE, MANIFEST_FILE, DISK_FILE):
        os.link(box.parts / name, folder / name)
    ovf = (folder / OVF_FILE).read_text()
    (folder / OVF_FILE).unlink()
    (folder / OVF_FILE).write_text(ovf.replace("VirtualQuantity>2<", "VirtualQuantity>1<"))
    said = virtualbox.manage("import", folder / OVF_FILE, check=False)
    assert f"Digest mismatch (VERR_NOT_EQUAL): Attribute 'SHA256' on '{OVF_FILE}'" in said
    assert box.reference not in virtualbox.manage("list", "vms")
