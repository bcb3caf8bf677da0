"""Wait for named signals with a deadline; nothing in labctl sleeps for any other reason.

Deadlines are written for machines of normal speed that do nothing else.  A lab of slow machines
(virtual machines without hardware support) or on a busy one has a patience: a factor by which every
deadline that waits for a node is longer.  Code that waits for a node gets it with the lab
(`labctl.topology.lab`) or as a `Patience`.  What a protocol fixes (pings every 10 s) and what this
machine does itself is never scaled.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, on the monotonic clock, by which something must have happened."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline in so many seconds; to wait for a node, use `Patience.deadline`."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left; zero if the deadline has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How many times longer a lab's nodes may take than machines of normal speed."""

    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.factor < 1.0:
            raise ValueError(f"patience must be at least 1, got {self.factor:g}")

    def scaled(self, seconds: float) -> float:
        """How long to wait for what takes `seconds` at normal speed."""
        return seconds * self.factor

    def unscaled(self, seconds: float) -> float:
        """The inverse of `scaled`: for a value that will be scaled later."""
        return seconds / self.factor

    def whole(self, seconds: float) -> int:
        """`scaled` in whole seconds, rounded up, for programs that accept nothing else."""
        return math.ceil(self.scaled(seconds))

    def deadline(self, seconds: float) -> Deadline:
        """The deadline for what a node does in `seconds` at normal speed."""
        return Deadline.after(self.scaled(seconds))


NO_PATIENCE = Patience()
"""For machines of normal speed: every deadline as it is written."""


def wait_until(
    check: Callable[[], bool], *, deadline: Deadline, interval: float, polite: bool = False
) -> bool:
    """Call `check` every `interval` seconds until it is true; False if the deadline passed.

    It is called once more at the deadline, so that an old answer does not decide on a slow machine.
    A `polite` wait pauses at least as long as the check took: for one that costs the processors
    which it waits for.
    """
    while True:
        final = deadline.passed
        began = time.monotonic()
        if check():
            return True
        if final:
            return False
        pause = max(interval, time.monotonic() - began) if polite else interval
        time.sleep(min(pause, max(deadline.left, 0.01)))
