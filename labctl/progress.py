"""How long work tells what it is doing.  `labctl.cli` decides what it looks like."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

NOTICE = "notice"
"""The phase of what must not be overlooked, such as stand-ins in place of Jitsi's packages."""


class Progress(Protocol):
    """Something that takes lines about the work.

    `phase` is what is going on ('images', 'machines', ...); `node` is whom it is about, or None
    for the lab as a whole.
    """

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None: ...


def silent(phase: str, message: str, *, node: str | None = None) -> None:
    """A Progress that nobody hears."""


@dataclass(slots=True)
class Timings:
    """Seconds per phase, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
