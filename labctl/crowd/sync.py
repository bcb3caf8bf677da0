"""The crowd for code that is not asynchronous: one event loop in one background thread.

Tests and the readiness check use it:

    with crowd_in(target, "room") as crowd:
        crowd.join(2)
        crowd.wait_invited(deadline=15)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from labctl.crowd.crowd import JOIN_DEADLINE, Crowd
from labctl.crowd.errors import CrowdError
from labctl.crowd.events import Event, Kind, View
from labctl.crowd.options import Options
from labctl.crowd.participant import Participant
from labctl.crowd.target import Target
from labctl.crowd.xml import Element

if TYPE_CHECKING:
    from labctl.crowd.media.problem import Reach
    from labctl.crowd.media.view import MediaView

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop, uvloop's where it is installed (a fifth less CPU per login)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


_beginning = threading.Lock()


def _background() -> asyncio.AbstractEventLoop:
    """The one loop of all crowds, whichever thread asks first."""
    with _beginning:
        return _begin()


@cache
def _begin() -> asyncio.AbstractEventLoop:
    loop = new_loop()
    threading.Thread(target=loop.run_forever, name="crowd", daemon=True).start()
    return loop


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the background loop and wait for it; interrupted, it is cancelled."""
    future = asyncio.run_coroutine_threadsafe(work, _background())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class SyncParticipant:
    """A participant whose methods block."""

    def __init__(self, participant: Participant) -> None:
        self._participant = participant

    @property
    def nick(self) -> str:
        return self._participant.nick

    def view(self) -> View:
        return wait(_call(self._participant.view))

    def say(self, words: str) -> None:
        wait(_call(lambda: self._participant.say(words)))

    def raise_hand(self) -> None:
        wait(_call(self._participant.raise_hand))

    def lower_hand(self) -> None:
        wait(_call(lambda: self._participant.raise_hand(up=False)))

    def send(self, stanza: str) -> None:
        """Send a stanza as it is."""
        wait(_call(lambda: self._participant.live().send(stanza)))

    def ask(self, kind: str, payload: str, *, to: str, deadline: float = 15.0) -> Element:
        """Send an IQ of type `get` or `set`; its result.  StanzaError where it is refused."""

        async def ask() -> Element:
            what, seconds = f"The request to '{to}'", self._participant.patience.scaled(deadline)
            try:
                async with asyncio.timeout(seconds):
                    return await self._participant.live().request(kind, payload, to=to, what=what)
            except TimeoutError:
                raise CrowdError(f"{what} had no answer within {seconds:g} s.") from None

        return wait(ask())

    def cut(self) -> None:
        wait(_call(self._participant.cut))

    def drop(self) -> None:
        wait(_call(self._participant.drop))

    def resume(self, *, deadline: float = 15.0) -> None:
        wait(self._participant.resume(deadline=deadline))

    def promote(self, *, deadline: float = 15.0) -> None:
        wait(self._participant.promote(deadline=deadline))

    def come(self, *, deadline: float = 15.0) -> None:
        wait(self._participant.come(deadline=deadline))

    def leave(self) -> None:
        wait(self._participant.leave())

    def media(self) -> MediaView | None:
        """Where its media stands; None without any."""
        return wait(_call(self._participant.media))

    def wait_for(self, kind: Kind, *, deadline: float, count: int = 1, after: float = 0.0) -> Event:
        work = self._participant.wait_for(kind, deadline=deadline, count=count, after=after)
        return wait(work)


class SyncCrowd:
    """A crowd whose methods block."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd

    @property
    def room(self) -> str:
        return self._crowd.room

    @property
    def participants(self) -> list[SyncParticipant]:
        return [SyncParticipant(one) for one in self._crowd.participants]

    def join(
        self,
        count: int = 1,
        *,
        rate: float | None = None,
        deadline: float = JOIN_DEADLINE,
        options: Options | None = None,
    ) -> list[SyncParticipant]:
        work = self._crowd.join(count, rate=rate, deadline=deadline, options=options)
        return [SyncParticipant(one) for one in wait(work)]

    def wait_for(self, kind: Kind, *, deadline: float, after: float = 0.0) -> list[Event]:
        return wait(self._crowd.wait_for(kind, deadline=deadline, after=after))

    def wait_invited(self, *, deadline: float) -> list[Event]:
        return wait(self._crowd.wait_invited(deadline=deadline))

    def views(self) -> list[View]:
        return wait(_call(self._crowd.views))

    def leave(self) -> None:
        wait(self._crowd.leave())

    # Media: see `labctl.crowd.media`.

    def media(self) -> list[MediaView]:
        """Where everybody's media stands; those without any are left out."""
        return wait(_call(self._crowd.media))

    def wait_media(
        self, *, media: Iterable[str] = ("audio",), deadline: float, after: float = 0.0
    ) -> list[MediaView]:
        """Until all receive each other's sound (or `media`) since `after`; MediaProblem else."""
        from labctl.crowd.media.waits import wait_media

        people = self._crowd.with_media
        return wait(wait_media(people, media=media, deadline=deadline, after=after))

    def wait_channel(self, *, deadline: float) -> None:
        """Until the bridge has answered on everybody's channel; MediaProblem else."""
        from labctl.crowd.media.waits import wait_channel

        wait(wait_channel(self._crowd.with_media, deadline=deadline))

    def probe(self, *, deadline: float) -> tuple[Reach, ...]:
        """Every candidate of the bridges in use: reachable, or the stage that failed."""
        from labctl.crowd.media.waits import probe

        return wait(probe(self._crowd.with_media, deadline=deadline))


@contextmanager
def crowd_in(target: Target, room: str, *, options: Options | None = None) -> Iterator[SyncCrowd]:
    """A crowd for one room; everybody leaves at the end, whatever happened."""
    crowd = SyncCrowd(Crowd(target, room, options=options))
    try:
        yield crowd
    finally:
        crowd.leave()


async def _call(work: Callable[[], T]) -> T:
    return work()
