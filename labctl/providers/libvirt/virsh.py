"""The `virsh` command on this machine's system daemon, and its errors in plain words."""

from __future__ import annotations

from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.process import Result, failure, run

URI = "qemu:///system"
HINT = "Run 'labctl doctor --provider libvirt'."

# virsh's message -> its meaning, and what to do about it.
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
        "This machine does not have enough memory for the virtual machine.",
        "Give the roles less memory in lab.conf ('roles { jms { memory = ... } }').",
    ),
)


def virsh(*words: str | Path, check: bool = True, timeout: float = 60.0) -> str:
    """The output of a `virsh` command.  Errors: LabError in plain words if `check` is set."""
    result = ask(*words, timeout=timeout)
    if check and result.code != 0:
        raise explained(result)
    return result.output


def ask(*words: str | Path, timeout: float = 60.0) -> Result:
    """The result of a `virsh` command, whether it failed or not."""
    command = ["virsh", "--quiet", "--connect", URI, *words]
    # Its messages must be in English, for MEANINGS.
    return run(command, env={"LC_ALL": "C"}, check=False, timeout=timeout, hint=HINT)


def explained(result: Result) -> LabError:
    """The error for a command that failed."""
    said = result.errors.strip() or result.output.strip()
    for words, message, hint in MEANINGS:
        if words in said:
            return LabError(f"{message} ({said.splitlines()[-1]})", hint=hint)
    return failure(result, hint=HINT)
