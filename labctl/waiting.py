"""Waiting for named signals with a deadline; nothing in labctl sleeps for any other reason.

Deadlines are written for machines that are not slow.  A lab whose machines are (virtual ones
without hardware for it) has a factor, its patience, that makes every deadline longer that waits
for a node.  It is set once per process, from the lab's machines.json.  What a protocol fixes
(pings every 10 s) is never scaled.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_patience = 1.0


def set_patience(factor: float) -> None:
    """From now on this process waits `factor` times as long for nodes; at least 1."""
    global _patience
    _patience = max(1.0, factor)


def patience() -> float:
    """The factor of this process."""
    return _patience


def scaled(seconds: float) -> float:
    """How long to wait for a node that may take `seconds` on a machine that is not slow."""
    return seconds * _patience


def whole(seconds: float) -> int:
    """The same in whole seconds, rounded up, for programs that take no others."""
    return math.ceil(scaled(seconds))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, on the monotonic clock, by which something must have happened."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """In so many seconds, scaled by this process's patience."""
        return cls(time.monotonic() + scaled(seconds))

    @property
    def left(self) -> float:
        """Seconds left; zero when it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def left_unscaled(self) -> float:
        """The same in the measure of `after`, for a wait that is scaled itself."""
        return self.left / _patience

    @property
    def passed(self) -> bool:
        return self.left == 0.0


def wait_until(check: Callable[[], bool], *, deadline: Deadline, interval: float) -> bool:
    """Ask `check` every `interval` seconds until it says yes; False when the deadline passed.

    It is asked once more at the deadline, so that a slow machine is not judged by an old answer.
    """
    while True:
        final = deadline.passed
        if check():
            return True
        if final:
            return False
        time.sleep(min(interval, max(deadline.left, 0.01)))
