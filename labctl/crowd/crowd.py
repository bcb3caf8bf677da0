"""Many participants of one room, joined in order and left together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from labctl.crowd.errors import CrowdError
from labctl.crowd.events import Event, Kind, View
from labctl.crowd.options import Options
from labctl.crowd.participant import Participant
from labctl.crowd.target import Target

if TYPE_CHECKING:
    from labctl.crowd.media.view import MediaView

JOIN_DEADLINE = 30.0
AT_ONCE = 50
"""So many may be on their way in; a lab that is slower than the rate slows the crowd down."""


class Crowd:
    """Participants of one room; those that failed to join stay in `participants` too."""

    def __init__(self, target: Target, room: str, *, options: Options | None = None) -> None:
        self._target = target
        self._options = options or Options()
        self.room = room
        self.participants: list[Participant] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.leave()

    async def join(
        self,
        count: int,
        *,
        rate: float | None = None,
        deadline: float = JOIN_DEADLINE,
        options: Options | None = None,
    ) -> list[Participant]:
        """Let `count` more join: one after another, or started `rate` per second at most.

        `deadline` is for each of them, in seconds.  CrowdError names the first that failed and
        says how many did; with a rate, the others go on joining first.
        """
        fresh = [
            Participant(self._target, self.room, options=options or self._options)
            for _ in range(count)
        ]
        self.participants += fresh
        if rate is None:
            for participant in fresh:
                await participant.join(deadline=deadline)
        else:
            await self._join_at(fresh, rate=rate, deadline=deadline)
        return fresh

    async def wait_for(
        self,
        kind: Kind,
        *,
        deadline: float,
        after: float = 0.0,
        participants: list[Participant] | None = None,
    ) -> list[Event]:
        """Every participant's first `kind` after `after`; CrowdError names the first without."""
        who = self.participants if participants is None else participants
        waits = (one.wait_for(kind, deadline=deadline, after=after) for one in who)
        found = await asyncio.gather(*waits, return_exceptions=True)
        _raise_first(found, what=f"had no event '{kind}'")
        return [event for event in found if isinstance(event, Event)]

    async def wait_invited(self, *, deadline: float) -> list[Event]:
        """Everybody's invitation to the bridge."""
        return await self.wait_for(Kind.INVITED, deadline=deadline)

    def views(self) -> list[View]:
        return [participant.view() for participant in self.participants]

    @property
    def with_media(self) -> list[Participant]:
        """Those in the room that are to have media."""
        return [one for one in self.participants if one.has_media and one.state == "joined"]

    def media(self) -> list[MediaView]:
        """Where everybody's media stands; those without any are left out."""
        return [view for one in self.participants if (view := one.media()) is not None]

    async def leave(self) -> None:
        """Everybody leaves in order; those that are lost already are passed over."""
        await asyncio.gather(*(participant.leave() for participant in self.participants))

    async def _join_at(self, fresh: list[Participant], *, rate: float, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        tasks: list[asyncio.Task[Participant]] = []
        room = asyncio.Semaphore(AT_ONCE)
        try:
            for index, participant in enumerate(fresh):
                await asyncio.sleep(began + index / rate - loop.time())  # the schedule itself
                await room.acquire()
                task = loop.create_task(participant.join(deadline=deadline))
                task.add_done_callback(lambda _: room.release())
                tasks.append(task)
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        _raise_first(outcomes, what="did not join")


def _raise_first(outcomes: Sequence[object], *, what: str) -> None:
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if not failures:
        return
    first = failures[0]
    if len(failures) == 1 or not isinstance(first, CrowdError):
        raise first
    raise CrowdError(
        f"{len(failures)} of {len(outcomes)} participants {what}. The first: {first.message}",
        hint=first.hint,
    ) from first
