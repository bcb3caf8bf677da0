"""What VBoxManage prints, and what becomes of its errors.

The files in `recorded/` are what VirtualBox 7.2.22 printed (folders renamed); the messages in
`HEARD` are from other people's reports, for machines of which none is at hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.process import Result
from labctl.providers.command import describe_failure as vagrants_failure
from labctl.providers.virtualbox import messages
from labctl.providers.virtualbox.inventory import Machine, machine_of
from labctl.providers.virtualbox.manage import (
    describe_failure,
    is_absent,
    parse_extradata,
    parse_info,
    parse_vms,
)
from labctl.providers.virtualbox.messages import Cause, find_cause
from labctl.providers.virtualbox.provider import VirtualBoxProvider

RECORDED = Path(__file__).with_name("recorded")

HEARD = {
    "vt-x": "VBoxManage: error: VT-x is being used by another hypervisor"
    " (VERR_VMX_IN_VMX_ROOT_MODE).",
    "amd-v": "VBoxManage: error: VirtualBox can't enable the AMD-V extension. Please disable the"
    " KVM kernel extension, recompile your kernel and reboot (VERR_SVM_IN_USE)",
    "bios": "VBoxManage: error: VT-x is disabled in the BIOS for all CPU modes"
    " (VERR_VMX_MSR_ALL_VMX_DISABLED)",
    "absent": "VBoxManage: error: VT-x is not available (VERR_VMX_NO_VMX)",
    "full": "VBoxManage: error: Could not create the imported medium '/x/box-disk001.vmdk'"
    " (VERR_DISK_FULL).",
    "driver": "VBoxManage: error: The virtual machine has terminated: Kernel driver not installed"
    " (VERR_VM_DRIVER_NOT_INSTALLED)",
    "locked": "VBoxManage: error: Cannot unregister the machine 'labctl-demo-jms' while it is"
    " locked",
}


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text(encoding="utf-8")


def failed(said: str) -> Result:
    return Result(("VBoxManage", "verb"), 1, "", said)


def test_machines_are_listed_with_odd_names_and_without_files() -> None:
    assert parse_vms(recorded("list-vms")) == {
        "0b6a1a66-314d-42c9-8e03-40ee2bfac7da": "labctl-demo-jms",
        "bfde4593-4003-4a09-aef1-18d3668060c6": "",
        "5e37fd9d-8bfb-4745-86f8-79024823d272": 'My "Server" {1}',
    }


def test_a_machine_is_read_from_its_settings_and_extra_data() -> None:
    info = parse_info(recorded("showvminfo"))
    extra = parse_extradata(recorded("getextradata"))
    assert machine_of("7", info, extra) == Machine(
        id="7",
        name="labctl-demo-jms",
        state="stopped",
        memory_mib=768,
        cpus=1,
        mac="0800271A2B3C",
        hostonly=("vboxnet0",),
        seed="none",
        description="first line",
        workdir="/home/user/lab/.lab/demo",
        node="jms",
        address="192.168.56.105",
        image="labctl-jms-0123456789ab",
    )


def test_a_description_cannot_pass_for_settings() -> None:
    text = recorded("showvminfo")
    assert '\nmemory=1"\n' in text
    assert parse_info(text)["memory"] == "768"


@pytest.mark.parametrize("state", ["running", "saved", "paused", "gurumeditation"])
def test_states_that_vagrant_knows_too_stay(state: str) -> None:
    assert machine_of("7", {"VMState": state}, {}).state == state


def test_an_aborted_machine_can_be_started() -> None:
    assert machine_of("7", {"VMState": "aborted"}, {}).state == "stopped"


@pytest.mark.parametrize("name", ["showvminfo-absent", "getextradata-absent"])
def test_a_machine_that_has_gone_is_told_from_other_failures(name: str) -> None:
    assert is_absent(failed(recorded(name)))


@pytest.mark.parametrize("name", ["showvminfo-inaccessible", "controlvm-off", "ipconfig-refused"])
def test_other_failures_are_not_absence(name: str) -> None:
    assert not is_absent(failed(recorded(name)))


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("hostonlyif-create", messages.NO_DRIVER),
        ("ipconfig-refused", messages.REFUSED),
        ("startvm-without-driver", messages.DIED),
        ("version-wrapped", messages.NO_DRIVER),
        ("controlvm-off", None),
        ("showvminfo-absent", None),
        ("showvminfo-inaccessible", None),
        ("unregistervm-with-clones", None),
        ("modifyvm-nonsense", None),
    ],
)
def test_recorded_failures_are_explained(name: str, cause: Cause | None) -> None:
    assert find_cause(recorded(name)) == cause


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("vt-x", messages.TAKEN),
        ("amd-v", messages.TAKEN),
        ("bios", messages.DISABLED),
        ("absent", messages.ABSENT),
        ("full", messages.DISK_FULL),
        ("driver", messages.NO_DRIVER),
        ("locked", messages.LOCKED),
    ],
)
def test_failures_of_other_machines_are_explained(name: str, cause: Cause) -> None:
    assert find_cause(HEARD[name]) == cause


def test_a_known_failure_says_what_to_do() -> None:
    error = describe_failure(failed(recorded("ipconfig-refused")))
    assert error.message == messages.REFUSED.message
    assert "/etc/vbox/networks.conf" in (error.hint or "")


def test_the_reason_counts_more_than_the_warning_before_it() -> None:
    warned = Result(("VBoxManage",), 1, recorded("version-wrapped"), recorded("ipconfig-refused"))
    assert describe_failure(warned).message == messages.REFUSED.message


def test_vagrants_words_around_virtualboxs_are_explained_too(tmp_path: Path) -> None:
    said = "There was an error while executing `VBoxManage`, a CLI used by Vagrant\n\nStderr: "
    error = vagrants_failure(
        said + HEARD["vt-x"], log=tmp_path, explain=VirtualBoxProvider().explain
    )
    assert (error.message, error.log) == (messages.TAKEN.message, tmp_path)
    full = "docker: write /var/lib/docker: No space left on device"
    assert (
        "VirtualBox"
        not in vagrants_failure(full, log=tmp_path, explain=VirtualBoxProvider().explain).message
    )


def test_an_unknown_failure_shows_its_own_words_without_progress_and_usage() -> None:
    said = describe_failure(failed(recorded("unregistervm-with-clones"))).message
    assert "because it has 1 child media" in said
    assert "0%" not in said
    said = describe_failure(failed(recorded("modifyvm-nonsense"))).message
    assert said.splitlines()[1:] == ["    VBoxManage: error: Unknown option: --nonsense"]
