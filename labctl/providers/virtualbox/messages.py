"""VirtualBox's errors, with advice.

Codes (VERR_..., VBOX_E_...) are matched rather than sentences, which change between versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """Why VirtualBox failed, and what to do about it."""

    message: str
    hint: str


NOT_INSTALLED = "VirtualBox is not installed: the command 'VBoxManage' is missing."
INSTALL_HINT = (
    "Install VirtualBox 7.0 or newer with its kernel module, or use another '--provider'."
)

NO_DRIVER = Cause(
    "VirtualBox's kernel module is not loaded.",
    "As root: 'modprobe vboxdrv vboxnetadp vboxnetflt'. If that finds no module, install the"
    " kernel's headers and 'virtualbox-dkms' (or run '/sbin/vboxconfig'); with Secure Boot the"
    " module must be signed.",
)
DIED = Cause(
    "VirtualBox ended while it started a machine.",
    "Most often its kernel module is missing, or of another version than VirtualBox itself."
    f" {NO_DRIVER.hint} Otherwise see 'VBoxHardening.log' in the machine's folder 'Logs'.",
)
TAKEN = Cause(
    "Another hypervisor uses this machine's VT-x or AMD-V.",
    "On newer kernels, KVM takes it as soon as its modules are loaded: stop its machines, then run"
    " as root: 'modprobe -r kvm_intel kvm_amd kvm'. Or use '--provider libvirt'.",
)
DISABLED = Cause(
    "This machine's VT-x or AMD-V is disabled.",
    "Enable virtualisation in the firmware setup (BIOS or UEFI).",
)
ABSENT = Cause(
    "This machine has no VT-x or AMD-V.",
    "Inside a virtual machine, its host must allow nested virtualisation. Without it, use"
    " '--provider docker'.",
)
REFUSED = Cause(
    "VirtualBox does not allow the lab's addresses for a host-only network.",
    "By default only 192.168.56.0/21 is allowed: use a '--network' in it, or, as root, add a line"
    " '* ADDRESS/PREFIX' to '/etc/vbox/networks.conf'.",
)
DISK_FULL = Cause(
    "The disk that holds VirtualBox's machines is full.",
    "'VBoxManage list systemproperties' names the folder ('Default machine folder'); make room"
    " there, or set another with 'VBoxManage setproperty machinefolder FOLDER'.",
)
NO_MEMORY = Cause(
    "This machine does not have enough memory for the lab's nodes.",
    "Give the roles less memory ('roles' in lab.conf), or end other programs.",
)
LOCKED = Cause(
    "Another program is using the same machine (a VirtualBox window, or an earlier call).",
    "Close it, or wait a moment, and try again.",
)

CAUSES: tuple[tuple[str, Cause], ...] = (
    (r"/dev/vboxdrv|/dev/vboxnetctl|VERR_VM_DRIVER_NOT_|VERR_SUPDRV_|vboxdrv kernel module",
     NO_DRIVER),
    (r"terminated unexpectedly during startup", DIED),
    (r"VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE", TAKEN),
    (r"VERR_VMX_MSR_\w*DISABLED|VERR_SVM_DISABLED|VERR_VMX_MSR_LOCKED", DISABLED),
    (r"VERR_VMX_NO_VMX|VERR_SVM_NO_SVM", ABSENT),
    (r"E_ACCESSDENIED.*\n?.*EnableStaticIPConfig", REFUSED),
    (r"VERR_DISK_FULL|No space left on device", DISK_FULL),
    (r"VERR_NO_MEMORY|VERR_NO_PHYS_MEMORY", NO_MEMORY),
    (r"VBOX_E_INVALID_OBJECT_STATE|already locked|while it is locked", LOCKED),
)  # fmt: skip


def find_cause(text: str) -> Cause | None:
    """The cause of VirtualBox's error message; None if it is not known."""
    return next((cause for sign, cause in CAUSES if re.search(sign, text)), None)
