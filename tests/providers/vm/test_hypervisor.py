"""What bakes and boots disks: QEMU, or VirtualBox alone; and what VirtualBox is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.process import Result
from labctl.providers.vm import hypervisor, virtualboxguest
from labctl.providers.vm.accel import QEMU, Accelerator
from labctl.providers.vm.hypervisor import find_hypervisor
from labctl.providers.vm.virtualboxbake import exported_disk
from labctl.providers.vm.virtualboxguest import boot, is_running, settings
from labctl.topology.spec import Role

KVM = Accelerator("kvm", "a guest booted with it")
VIRTUALBOX = Accelerator("virtualbox", "")


@pytest.mark.parametrize(
    ("programs", "name", "hardware"),
    [
        ([QEMU], "kvm", "virtio"),
        ([QEMU, "VBoxManage"], "kvm", "virtio"),
        (["VBoxManage"], "virtualbox", "VirtualBox"),
        ([], "kvm", "virtio"),
    ],
    ids=["QEMU", "both", "VirtualBox", "neither: QEMU is what will be asked for"],
)
def test_choice(
    monkeypatch: pytest.MonkeyPatch, programs: list[str], name: str, hardware: str
) -> None:
    monkeypatch.setattr(
        hypervisor, "find_program", lambda word: f"/usr/bin/{word}" if word in programs else None
    )
    monkeypatch.setattr(hypervisor, "find_accelerator", lambda: KVM)
    found = find_hypervisor()
    assert (found.accelerator.name, found.hardware) == (name, hardware)


def test_virtualbox_is_not_slow() -> None:
    assert VIRTUALBOX.patience == 1.0
    assert str(VIRTUALBOX) == "VirtualBox"


def test_an_export_holds_one_disk(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="but holds none"):
        exported_disk(tmp_path)
    (tmp_path / "a-disk001.vmdk").write_bytes(b"")
    assert exported_disk(tmp_path).name == "a-disk001.vmdk"
    (tmp_path / "b.vmdk").write_bytes(b"")
    with pytest.raises(LabError, match=r"'a-disk001\.vmdk', 'b\.vmdk'"):
        exported_disk(tmp_path)


def test_ssh_is_forwarded_from_loopback_alone(tmp_path: Path) -> None:
    told = settings("m", port=2201, console=tmp_path / "c", seed=tmp_path / "s.iso")
    forwards = [words[3] for words in told if "--natpf1" in words]
    assert forwards == ["ssh,tcp,127.0.0.1,2201,,22"]
    assert ["--medium", str(tmp_path / "s.iso")] in [words[-2:] for words in told]


@pytest.mark.parametrize(
    ("state", "runs"), [("running", True), ("starting", True), ("aborted", False), ("", False)]
)
def test_is_running(monkeypatch: pytest.MonkeyPatch, state: str, runs: bool) -> None:
    said = Result((), 0, f'name="m"\nVMState="{state}"\n')
    monkeypatch.setattr(virtualboxguest, "ask", lambda *_: said)
    assert is_running("m") is runs


def test_a_machine_that_does_not_start_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    def vboxmanage(*words: str, timeout: float = 0.0) -> str:
        said.append(words[0])
        if words[0] == "startvm":
            raise LabError("VirtualBox's kernel module is not loaded.")
        return ""

    def start(name: str, *, scratch: Path) -> object:
        class Made:
            folder, seed, console, port = tmp_path, tmp_path / "s", tmp_path / "c", 2201

        Made.name = name  # type: ignore[attr-defined]
        return Made

    monkeypatch.setattr(virtualboxguest, "make_setup", start)
    monkeypatch.setattr(virtualboxguest, "make_appliance", lambda *_, **__: [tmp_path / "o.ovf"])
    monkeypatch.setattr(virtualboxguest, "vboxmanage", vboxmanage)
    monkeypatch.setattr(virtualboxguest, "remove_machine", lambda name: said.append(f"gone {name}"))
    with (
        suppress(LabError),
        boot(tmp_path / "disk.qcow2", Role.JVB, VIRTUALBOX, tmp_path),
    ):
        pytest.fail("it cannot start")
    assert said[0] == "import"
    assert said[-2:] == ["startvm", "gone labctl-boot-jvb-2201"]
