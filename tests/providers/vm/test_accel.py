"""How virtual machines run here: decided by booting a guest, never by a device file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from labctl.providers.vm import accel
from labctl.providers.vm.accel import (
    EXIT_STATUS,
    QEMU,
    SECTOR,
    Accelerator,
    Boot,
    boot_problem,
    find_accelerator,
    kvm_cure,
    kvm_problem,
    slowness,
)

KVM, TCG = Accelerator("kvm", ""), Accelerator("tcg", "")


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    find_accelerator.cache_clear()


def test_no_device(tmp_path: Path) -> None:
    problem = kvm_problem(tmp_path / "kvm")
    assert problem is not None
    assert "there is no" in problem


def test_a_device_without_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kvm").write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accel, "QEMU", "qemu-that-nobody-has")
    assert kvm_problem(tmp_path / "kvm") == "'qemu-that-nobody-has' is not installed yet"


def test_a_device_that_is_not_for_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kvm"
    assert kvm_cure(device) == "Give this machine nested virtualisation"
    device.write_text("")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert kvm_problem(device) == f"this user may not use {device} (group 'kvm')"
    assert kvm_cure(device).startswith("Join the group ('sudo usermod -aG kvm ")


@pytest.mark.parametrize("name", ["kvm", "tcg"])
def test_who_knows_better_is_believed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABCTL_ACCELERATOR", name)
    assert find_accelerator() == Accelerator(name, "LABCTL_ACCELERATOR says so")


def test_a_boot_sector_is_one() -> None:
    assert len(SECTOR) == 512
    assert SECTOR[-2:] == b"\x55\xaa"
    assert EXIT_STATUS == 85


def test_emulated_machines_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert [TCG.cpus(2, machines=count) for count in (1, 2, 3, 9)] == [2, 2, 1, 1]
    assert [KVM.cpus(count, machines=9) for count in (1, 2, 8)] == [1, 2, 4]


def test_emulation_is_given_time() -> None:
    assert KVM.patience == 1.0 < TCG.patience
    assert KVM.boot_seconds < TCG.boot_seconds
    assert str(TCG) == "software emulation"


@pytest.mark.parametrize(
    ("kvm", "emulated", "problem"),
    [
        pytest.param(Boot(0.2), Boot(0.2), None, id="as it should be"),
        pytest.param(Boot(0.6), Boot(0.1), None, id="quick enough"),
        pytest.param(Boot(1.5), Boot(1.4), None, id="a busy machine"),
        pytest.param(Boot(1.9), Boot(9.9, "it has no emulation"), None, id="nothing to compare"),
        pytest.param(Boot(5.0, "no guest booted"), Boot(0.1), "no guest booted", id="it hangs"),
        pytest.param(
            *(Boot(1.9), Boot(0.12)),
            "a guest crawls with it: 1.9 s, by software emulation 0.1 s",
            id="it crawls",
        ),
    ],
)
def test_kvm_must_not_crawl(kvm: Boot, emulated: Boot, problem: str | None) -> None:
    assert slowness(kvm, emulated) == problem


needs_qemu = pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"needs {QEMU}")


@pytest.mark.programs
@needs_qemu
def test_the_smallest_guest_boots_under_emulation() -> None:
    assert boot_problem("tcg", seconds=30.0) is None


@pytest.mark.programs
@needs_qemu
def test_a_guest_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    # jmp $: an endless loop.
    monkeypatch.setattr(accel, "SECTOR", b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa")
    assert boot_problem("tcg", seconds=3.0) == "a guest did not boot with it within 3 s"


@pytest.mark.programs
@needs_qemu
def test_an_accelerator_that_is_none_is_a_problem_in_qemus_words() -> None:
    problem = boot_problem("xyz", seconds=10.0)
    assert problem is not None
    assert "invalid accelerator" in problem
