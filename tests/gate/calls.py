"""Calls that nobody has to hold: what a part of the gate asked of a crowd is noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from labctl.core.errors import LabError


@dataclass
class FakeCalls:
    """In the place of `crowd_in`: `heard` are seconds until each participant's first sound, a list
    for each call; `fails` is why calls have no sound."""

    heard: Sequence[Sequence[float | None]] = ((),)
    fails: str = ""
    rooms: list[str] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    ended: int = 0

    @contextmanager
    def crowd_in(self, target: Any, room: str, *, options: Any) -> Iterator[FakeCalls]:
        self.rooms.append(room)
        self.asked.append(("in", target.address, options.media.kind))
        try:
            yield self
        finally:
            self.ended += 1

    def join(self, count: int, *, deadline: float) -> None:
        self.asked.append(("join", count, deadline))

    def wait_media(self, *, deadline: float) -> list[Any]:
        self.asked.append(("wait", deadline))
        if self.fails:
            raise LabError(self.fails)
        times = self.heard[(len(self.rooms) - 1) % len(self.heard)]
        return [SimpleNamespace(first={"audio": at}.get) for at in times]
