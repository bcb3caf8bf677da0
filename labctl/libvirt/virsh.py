"""The `virsh` command on this machine's system daemon, and its complaints in plain words."""

from __future__ import annotations

from pathlib import Path

from labctl.errors import LabError
from labctl.process import Result, failure, run

URI = "qemu:///system"
HINT = "Run 'labctl doctor --provider libvirt'."

# What virsh says -> what it means, and what to do about it.
MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        "Failed to connect socket",
        "The libvirt daemon does not answer.",
        "'labctl up' starts it; by hand, as root: 'systemctl start libvirtd', or 'libvirtd -d'.",
    ),
    (
        "authentication unavailable",
        "This user may not use libvirt.",
        'Run: sudo usermod -aG libvirt "$USER" && newgrp libvirt',
    ),
    (
        "Permission denied",
        "This user may not use libvirt.",
        'Run: sudo usermod -aG libvirt "$USER" && newgrp libvirt',
    ),
    (
        "No space left on device",
        "The disk of libvirt's images is full.",
        "'labctl images prune' removes images that nobody uses; 'df -h /var/lib/libvirt' shows"
        " what is left.",
    ),
    (
        "Cannot allocate memory",
        "This machine has not enough memory for the virtual machine.",
        "Give the roles less memory in lab.conf ('roles { jms { memory = ... } }').",
    ),
)


def virsh(*words: str | Path, check: bool = True, timeout: float = 60.0) -> str:
    """What a `virsh` command printed.  Errors: LabError in plain words while `check` is set."""
    result = ask(*words, timeout=timeout)
    if check and result.code != 0:
        raise explained(result)
    return result.output


def ask(*words: str | Path, timeout: float = 60.0) -> Result:
    """How a `virsh` command ended, whatever came of it."""
    command = ["virsh", "--quiet", "--connect", URI, *words]
    # Its messages in English, for MEANINGS.
    return run(command, env={"LC_ALL": "C"}, check=False, timeout=timeout, hint=HINT)


def explained(result: Result) -> LabError:
    """The error for a command that failed."""
    said = result.errors.strip() or result.output.strip()
    for words, message, hint in MEANINGS:
        if words in said:
            return LabError(f"{message} ({said.splitlines()[-1]})", hint=hint)
    return failure(result, hint=HINT)
