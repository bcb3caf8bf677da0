"""What happened to one participant, and who waits for what to happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from labctl.core.waiting import Patience
from labctl.crowd.errors import CrowdError
from labctl.crowd.events import Event, Kind

T = TypeVar("T")

FINAL = frozenset((Kind.LOST, Kind.LEFT))
"""After one of these nothing else happens."""


@dataclass(slots=True, eq=False)
class _Waiter:
    kind: Kind
    count: int
    future: asyncio.Future[Event]


class Recorder:
    """Events in order of time; waits on them, each with a deadline in seconds."""

    __slots__ = ("_patience", "_waiters", "ended", "events", "nick", "stage")

    def __init__(self, nick: str, patience: Patience) -> None:
        self.nick = nick
        self._patience = patience
        self.events: list[Event] = []
        self.stage = "to be started"
        self.ended: Event | None = None
        self._waiters: list[_Waiter] = []

    def record(self, kind: Kind, **details: str) -> Event:
        """Note an event now; wake whoever waits for it."""
        event = Event(kind, time.monotonic(), details)
        self.events.append(event)
        if kind in FINAL:
            self.ended = event
        for waiter in list(self._waiters):
            if waiter.future.done():
                continue
            if waiter.kind is kind:
                waiter.count -= 1
                if waiter.count == 0:
                    waiter.future.set_result(event)
            if kind in FINAL and not waiter.future.done():
                waiter.future.set_exception(self._over(waiter.kind, event))
        return event

    def count(self, kind: Kind, *, after: float = 0.0) -> int:
        return sum(1 for event in self.events if event.kind is kind and event.at > after)

    def last(self, *kinds: Kind) -> Event | None:
        """The latest event of these kinds."""
        return next((event for event in reversed(self.events) if event.kind in kinds), None)

    async def wait_for(self, kind: Kind, *, deadline: float, count: int, after: float) -> Event:
        """The `count`-th event of `kind` after `after`; CrowdError at the deadline or the end."""
        found = [event for event in self.events if event.kind is kind and event.at > after]
        if len(found) >= count:
            return found[count - 1]
        if self.ended is not None:
            raise self._over(kind, self.ended)
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(kind, count - len(found), future)
        self._waiters.append(waiter)
        self.stage = f"for '{kind}'"
        try:
            return await self.within(deadline, future, f"had no event '{kind}'")
        finally:
            self._waiters.remove(waiter)

    async def pause(self, seconds: float) -> None:
        """Let time pass (a back-off); CrowdError at once when the participant is lost."""
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(Kind.LOST, 1, future)
        self._waiters.append(waiter)
        try:
            event = await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return
        finally:
            self._waiters.remove(waiter)
        raise CrowdError(f"{event.details['reason'].capitalize()}.")

    async def within(self, deadline: float, work: Awaitable[T], failure: str) -> T:
        """Wait for `work`; at the deadline a CrowdError with the stage and the last event.

        Every wait for a participant ends here, so it is here that the lab's patience counts.
        """
        seconds = self._patience.scaled(deadline)
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            last = self.events[-1] if self.events else "nothing"
            raise CrowdError(
                f"Participant '{self.nick}' {failure} within {seconds:g} s: "
                f"it waited {self.stage}; last seen: {last}."
            ) from None

    def _over(self, kind: Kind, event: Event) -> CrowdError:
        return CrowdError(f"Participant '{self.nick}' waited for '{kind}' but: {event}.")
