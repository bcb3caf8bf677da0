"""How long-running work reports what it is doing.  `labctl.cli` decides how that looks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

NOTICE = "notice"
"""The phase of messages that must not be overlooked, such as that stand-ins are used."""


class Progress(Protocol):
    """Receives lines about the work.

    `phase` is what is being done ('images', 'machines', ...); `node` is the node that the line is
    about, or None for the whole lab.
    """

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None: ...


def silent(phase: str, message: str, *, node: str | None = None) -> None:
    """A Progress that does nothing."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """A part of a phase: on a node, or on this machine if `node` is None.

    `began` and `ended` are seconds of the monotonic clock.
    """

    phase: str
    what: str
    node: str | None
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(slots=True)
class Timings:
    """Seconds per phase, in order, and the steps of which the phases consist.

    Steps of several nodes may be noted at the same time, by several threads.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    steps: list[StepTime] = field(default_factory=list)
    _phase: str = ""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start, self._phase = time.monotonic(), name
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    @contextmanager
    def step(self, what: str, *, node: str | None = None) -> Iterator[None]:
        """A step of the present phase; it is noted however it ends."""
        start, phase = time.monotonic(), self._phase
        try:
            yield
        finally:
            self.steps.append(StepTime(phase, what, node, start, time.monotonic()))

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())


@dataclass(frozen=True, slots=True)
class UpTimings:
    """The last successful `up`: when it ended (seconds since 1970), and its seconds by phase."""

    ended: float
    total: float
    phases: Mapping[str, float]
