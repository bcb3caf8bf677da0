"""The room that is filled to its last seat, begun early: Prosody lets three in per second."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from labctl.crowd import Crowd, Target, View
from labctl.crowd.sync import SyncCrowd

VISITORS = 3
JOIN_SECONDS = 20


@dataclass(frozen=True)
class FullRoom:
    """A conference whose seats are all taken, and the visitors that came after."""

    name: str
    crowd: SyncCrowd
    seats: int

    def split(self) -> tuple[list[View], list[View]]:
        """Who had a seat left, and who came later."""
        views = self.crowd.views()
        return views[: self.seats], views[self.seats :]


class Filling:
    """A full room in the making, while other tests run."""

    def __init__(self, target: Target, seats: int) -> None:
        # A name of its own: two people may verify one lab at the same time.
        name = f"accept-full-{secrets.token_hex(4)}"
        self._room = FullRoom(name, SyncCrowd(Crowd(target, name)), seats)
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._done: Future[None] = self._pool.submit(self._fill)

    def _fill(self) -> None:
        """One after another: a request counts only those who are in the room already."""
        self._room.crowd.join(self._room.seats, deadline=JOIN_SECONDS)
        self._room.crowd.join(VISITORS, deadline=JOIN_SECONDS)

    @contextmanager
    def full(self) -> Iterator[FullRoom]:
        """The room once it is full; everybody leaves at the end, whatever happened."""
        try:
            self._done.result()
            yield self._room
        finally:
            self.end()

    def end(self) -> None:
        self._pool.shutdown(wait=True)
        self._room.crowd.leave()


Begin = Callable[[], Filling]
