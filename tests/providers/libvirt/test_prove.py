"""What doctor tries with libvirt; `virsh` and QEMU are programs that note what they are asked."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.progress import silent
from labctl.host.trial import NETWORKS, PREFIX
from labctl.providers.libvirt import prove
from labctl.providers.libvirt.prove import prove_machines, prove_network, render_network
from labctl.providers.vm.accel import EXIT_STATUS, QEMU, find_accelerator

VIRSH = """#!/bin/sh
shift 3
echo "$*" >> "$CALLS"
case $1 in
net-list) echo labctl-demo; echo {stale} ;;
net-create) [ -z "$REFUSE" ] || {{ echo "error: $REFUSE" >&2; exit 1; }} ;;
esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which `virsh` notes what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    qemu = f"#!/bin/sh\nexit {EXIT_STATUS}\n"
    for name, text in (("virsh", VIRSH.format(stale=f"{PREFIX}4194305")), (QEMU, qemu)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("REFUSE", "")
    monkeypatch.setenv("LABCTL_ACCELERATOR", "tcg")
    find_accelerator.cache_clear()
    monkeypatch.setattr(prove, "prove_local", lambda addresses, network: "lab-d1")
    return tmp_path / "calls"


@pytest.mark.programs
def test_a_guest_boots_and_a_network_is_made_and_removed(calls: Path) -> None:
    guest, network = prove_machines(silent)
    assert guest.status is network.status is CheckStatus.OK
    assert "booted with software emulation" in guest.found
    name = f"{PREFIX}{os.getpid()}"
    asked = [line.split("/")[0].strip() for line in calls.read_text().splitlines()]
    assert asked == [
        "uri", "net-list --all --name", f"net-destroy {PREFIX}4194305",
        "net-create", f"net-destroy {name}",
    ]  # fmt: skip


@pytest.mark.programs
def test_a_network_that_is_refused_is_told_and_nothing_is_left(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "Unable to set up NAT rules")
    check = prove_network()
    assert check.finding is Finding.NETWORK_REFUSED and "Unable to set up NAT" in check.found
    assert calls.read_text().splitlines()[-1] == f"net-destroy {PREFIX}{os.getpid()}"


@pytest.mark.programs
def test_a_guest_that_does_not_boot_is_told(calls: Path) -> None:
    (calls.parent / "bin" / QEMU).write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 1\n")
    check = prove.prove_guest()
    assert check.finding is Finding.NODE_BROKEN
    assert "with software emulation, a guest does not boot with it: no such machine" in check.found


def test_what_is_not_installed_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "find_program", lambda name: "/usr/bin/qemu")
    monkeypatch.setattr(prove, "answers", lambda: LabError("The libvirt daemon does not answer."))
    [check] = prove_machines(silent)
    assert check.finding is Finding.PROOF_OPEN
    assert check.found == "not proven: The libvirt daemon does not answer."


def test_the_network_leads_nowhere_and_has_this_machine_at_1() -> None:
    tree = ElementTree.fromstring(render_network(f"{PREFIX}7", NETWORKS[0]))
    address, bridge = tree.find("ip"), tree.find("bridge")
    assert address is not None and address.get("address") == str(NETWORKS[0][1])
    assert bridge is not None and bridge.get("name") == "lab-d7"
    assert tree.find("forward") is None
