"""Packets of several nodes in the order of their times, while they come."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from itertools import count

from labctl.capture.tap import Seen

HOLD = 1.0
"""How many seconds a packet waits for earlier ones of other nodes, and for the TLS secrets that
open it: a client writes these when it has read the server's first answer."""


class Merger:
    """Takes packets from several threads and gives them back in order."""

    def __init__(self, *, hold: float = HOLD) -> None:
        self._hold = hold
        self._lock = threading.Lock()
        self._order = count()
        self._heap: list[tuple[int, int, float, Seen]] = []

    def add(self, seen: Seen) -> None:
        with self._lock:
            entry = (seen.packet.time, next(self._order), time.monotonic(), seen)
            heapq.heappush(self._heap, entry)

    def take(self, *, all_: bool = False) -> Iterator[Seen]:
        """Packets that have waited long enough, or all, the earliest first."""
        while (seen := self._next(all_=all_)) is not None:
            yield seen

    def _next(self, *, all_: bool) -> Seen | None:
        with self._lock:
            if not self._heap:
                return None
            *_, came, seen = self._heap[0]
            if not all_ and time.monotonic() - came < self._hold:
                return None
            heapq.heappop(self._heap)
            return seen
