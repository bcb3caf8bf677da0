"""Waiting for named signals with a deadline; nothing in labctl sleeps for any other reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, on the monotonic clock, by which something must have happened."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; zero when it has passed."""
        return max(0.0, self.at - time.monotonic())

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
