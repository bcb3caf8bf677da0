"""How virtual machines run here: KVM where it really boots a guest, software emulation else.

/dev/kvm that opens proves nothing: in a nested or half-virtualised machine a guest may then hang
or crawl.  So a guest is booted: QEMU's firmware and a boot sector of two instructions.
"""

from __future__ import annotations

import functools
import getpass
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.privilege import find_program

KVM = Path("/dev/kvm")
QEMU = "qemu-system-x86_64"

PROBE_SECONDS = 2.0
"""A KVM that works needs a fifth of a second; software emulation does, too."""

# mov al, 0x2a; out 0xf4, al; hlt -- QEMU's isa-debug-exit ends with twice that and one.
SECTOR = bytes.fromhex("b02ae6f4f4").ljust(510, b"\0") + b"\x55\xaa"
EXIT_STATUS = 0x2A * 2 + 1

FORCE = "LABCTL_ACCELERATOR"
"""Environment variable that names an accelerator, for whoever knows better."""


WORDS = {"kvm": "KVM", "tcg": "software emulation", "virtualbox": "VirtualBox"}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What runs guests: `name` is kvm, tcg or virtualbox; and why it was chosen.

    `patience` is how much longer than on hardware things may take; `boot_seconds` is the longest
    that a machine may need until ssh answers.
    """

    name: str
    why: str

    @property
    def kvm(self) -> bool:
        return self.name == "kvm"

    @property
    def emulated(self) -> bool:
        return self.name == "tcg"

    @property
    def patience(self) -> float:
        return 8.0 if self.emulated else 1.0

    @property
    def boot_seconds(self) -> float:
        return 300.0 if self.emulated else 60.0

    def cpus(self, wanted: int, *, machines: int) -> int:
        """Processors for one of so many machines: emulated ones take turns on this machine's."""
        cores = os.cpu_count() or 1
        return min(wanted, max(1, cores // machines) if self.emulated else cores)

    def __str__(self) -> str:
        return WORDS[self.name]


@functools.cache
def find_accelerator() -> Accelerator:
    """The accelerator of this machine; looked for once in a process."""
    forced = os.environ.get(FORCE)
    if forced in ("kvm", "tcg"):
        return Accelerator(forced, f"{FORCE} says so")
    problem = kvm_problem()
    if problem is None:
        return Accelerator("kvm", "a guest booted with it")
    return Accelerator("tcg", problem)


def kvm_problem(device: Path = KVM) -> str | None:
    """Why KVM cannot be used, None when a guest has booted with it."""
    if not device.exists():
        return f"there is no {device}: no virtualisation, or not passed on to this machine"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"this user may not use {device} (group 'kvm')"
    if find_program(QEMU) is None:
        return f"'{QEMU}' is not installed yet"
    return boot_problem("kvm", seconds=PROBE_SECONDS)


def kvm_cure(device: Path = KVM) -> str:
    """What to do where `kvm_problem` finds one, as the beginning of a sentence."""
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        return f"Join the group ('sudo usermod -aG kvm {getpass.getuser()}', then log in again)"
    return "Give this machine nested virtualisation"


def boot_problem(accelerator: str, *, seconds: float) -> str | None:
    """Why the smallest guest does not boot within so many seconds, None when it does."""
    with tempfile.TemporaryDirectory(prefix="labctl-probe-") as folder:
        sector = Path(folder) / "sector.img"
        sector.write_bytes(SECTOR)
        command: list[str | Path] = [
            *(QEMU, "-accel", accelerator, "-m", "64", "-display", "none", "-no-reboot"),
            *("-net", "none", "-drive", f"file={sector},format=raw,snapshot=on"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
        ]
        try:
            result = process.run(command, check=False, timeout=seconds)
        except process.ProcessError:
            return f"a guest did not boot with it within {seconds:.0f} s"
    if result.code == EXIT_STATUS:
        return None
    said = (result.errors or result.output).strip().splitlines()
    return f"a guest does not boot with it: {said[-1] if said else f'exit status {result.code}'}"
