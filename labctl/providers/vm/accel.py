"""How virtual machines run here: with KVM if it really boots a guest, else software emulation.

A /dev/kvm that opens proves nothing: in a nested or partly virtualised machine, a guest may still
hang or crawl.  So a guest is booted: QEMU's firmware and a boot sector of a few instructions.  A
bound in seconds alone would decide by the machine's mood, so what takes long is compared with
software emulation in the same moment.
"""

from __future__ import annotations

import functools
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.privilege import find_program
from labctl.core.user import user_name

KVM = Path("/dev/kvm")
QEMU = "qemu-system-x86_64"

PROBE_SECONDS = 5.0
QUICK_SECONDS = 0.7
"""A working KVM needs a fifth of a second, and so does software emulation."""

SLOWER = 3.0
"""How many times longer than by emulation a guest may take.  Where KVM was seen to crawl, it took
fifteen times as long, and an ordinary guest did not come up at all."""

# mov al, 0x2a; out 0xf4, al; hlt -- QEMU's isa-debug-exit ends with twice that and one.
SECTOR = bytes.fromhex("b02ae6f4f4").ljust(510, b"\0") + b"\x55\xaa"
EXIT_STATUS = 0x2A * 2 + 1

FORCE = "LABCTL_ACCELERATOR"
"""Environment variable that overrides the choice of an accelerator."""


WORDS = {"kvm": "KVM", "tcg": "software emulation", "virtualbox": "VirtualBox"}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What runs guests: `name` is kvm, tcg or virtualbox; `why` it was chosen.

    `patience` is how many times longer than on hardware things may take; `boot_seconds` is the
    longest that a machine may take until ssh answers.
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
        """The processors of one of so many machines; emulated machines share this machine's."""
        cores = os.cpu_count() or 1
        return min(wanted, max(1, cores // machines) if self.emulated else cores)

    def __str__(self) -> str:
        return WORDS[self.name]


@functools.cache
def find_accelerator() -> Accelerator:
    """The accelerator of this machine; determined once per process."""
    forced = os.environ.get(FORCE)
    if forced in ("kvm", "tcg"):
        return Accelerator(forced, f"{FORCE} says so")
    problem = kvm_problem()
    if problem is None:
        return Accelerator("kvm", "a guest booted with it")
    return Accelerator("tcg", problem)


def kvm_problem(device: Path = KVM) -> str | None:
    """Why KVM cannot be used; None if a guest has booted with it."""
    if not device.exists():
        return f"there is no {device}: no virtualisation, or it is not available in this machine"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"this user may not use {device} (group 'kvm')"
    if find_program(QEMU) is None:
        return f"'{QEMU}' is not installed yet"
    return slowness(*(time_boot(name) for name in ("kvm", "tcg")))


@dataclass(frozen=True, slots=True)
class Boot:
    """A minimal guest: how long it took, and why it did not boot, or None."""

    seconds: float
    problem: str | None = None


def time_boot(accelerator: str) -> Boot:
    """Boot a minimal guest."""
    began = time.monotonic()
    problem = boot_problem(accelerator, seconds=PROBE_SECONDS)
    return Boot(time.monotonic() - began, problem)


def slowness(kvm: Boot, emulated: Boot) -> str | None:
    """Why KVM is of no use beside software emulation; None if it is."""
    if kvm.problem is not None or emulated.problem is not None or kvm.seconds <= QUICK_SECONDS:
        return kvm.problem
    if kvm.seconds <= SLOWER * emulated.seconds:
        return None
    took, usual = f"{kvm.seconds:.1f} s", f"{emulated.seconds:.1f} s"
    return f"a guest crawls with it: {took}, by software emulation {usual}"


def kvm_cure(device: Path = KVM) -> str:
    """What to do about the result of `kvm_problem`, as the beginning of a sentence."""
    if device.exists() and not os.access(device, os.R_OK | os.W_OK):
        return f"Join the group ('sudo usermod -aG kvm {user_name()}', then log in again)"
    return "Give this machine nested virtualisation"


def boot_problem(accelerator: str, *, seconds: float) -> str | None:
    """Why a minimal guest does not boot within so many seconds; None if it does."""
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
