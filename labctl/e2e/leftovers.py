"""Ends what a run left behind: browsers that their driver started in groups of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labctl.core.waiting import Deadline, wait_until

GRACE_SECONDS = 3.0


def processes_of(home: Path, *, proc: Path = Path("/proc")) -> Iterator[int]:
    """Processes whose home folder is this one, which nobody else has."""
    mark = f"HOME={home}".encode()
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        # A process that has ended meanwhile, or that is somebody else's, is not one of ours.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def end_processes_of(home: Path) -> None:
    """End them: TERM first, KILL after some seconds."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        left = list(processes_of(home))
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, kind)
        wait_until(
            lambda: not list(processes_of(home)),
            deadline=Deadline.after(GRACE_SECONDS),
            interval=0.1,
        )
