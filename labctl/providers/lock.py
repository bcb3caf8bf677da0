"""The lock of a lab's Vagrants, which tells of one that has outlived its labctl."""

from __future__ import annotations

import fcntl
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.waiting import Deadline, wait_until
from labctl.topology.workdir import Workdir

ORPHAN_SECONDS = 60.0
"""How long a Vagrant that has outlived its labctl may take to end."""


def lock_of(folder: Workdir) -> Path:
    """The file that every Vagrant of a lab locks while it works."""
    return folder.path / "vagrant.lock"


def wait_unlocked(lock: Path, *, deadline: Deadline) -> None:
    """Wait for a Vagrant that a killed labctl has left running.

    Errors: LabError if it still runs at the deadline.
    """

    def free() -> bool:
        if not lock.exists():
            # No Vagrant has ever worked on this lab, or its folder has gone.
            return True
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    if not wait_until(free, deadline=deadline, interval=0.2):
        raise LabError(
            f"A 'vagrant' of an earlier run is still working on lab '{lock.parent.name}'.",
            hint=f"Run 'fuser -v {lock}' to see the process.",
        )
