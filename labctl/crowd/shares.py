"""The processes of a crowd, as the one that starts them sees them: where they run, what they say.

A process may be on another machine of the lab: it is started there by a program of this machine,
whose input and output are its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Thread

from labctl.core.flow import Flow
from labctl.core.plain import to_plain
from labctl.core.process import ProcessError
from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, History
from labctl.crowd.run import CrowdStage
from labctl.crowd.share import Order, Said, Word
from labctl.providers.base import CrowdHost
from labctl.topology.hosts import HERE

SHARE = ("-m", "labctl.crowd.share")
TELL_SECONDS = 10.0
"""How long a process may take to read a word."""

GRACE = 15.0
"""Seconds in which a process ends that has said all."""

SILENT_SECONDS = 60.0
"""A process on another machine speaks every 5 s (`labctl.crowd.share`); ssh takes its time, and a
connection to a machine that has lost its network ends for neither side."""

LOOK_EVERY = 5.0
"""Seconds between two looks for machines that are silent."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process of a crowd runs, and how it is started there; `env` is added to this one's.

    `hint` is the advice if it fails.
    """

    program: Sequence[str] = (sys.executable, "-P", *SHARE)
    env: Mapping[str, str] = field(default_factory=dict)
    machine: str = HERE
    hint: str = "'--processes 1' keeps everybody in one process."

    @property
    def away(self) -> bool:
        return self.machine != HERE

    def __str__(self) -> str:
        return f" on machine '{self.machine}'" if self.away else ""


def find_places(processes: int, hosts: Sequence[CrowdHost] = ()) -> tuple[Place, ...]:
    """Places for so many processes here and on each of `hosts`; none if this one does it all."""
    if processes == 1 and not hosts:
        return ()
    away = (Place((*it.python, *SHARE), it.env, it.name, it.hint) for it in hosts)
    return tuple(place for each in (Place(), *away) for place in [each] * processes)


@dataclass(slots=True, eq=False)
class Share:
    """One of the processes, as far as it has told."""

    flow: Flow
    place: Place
    asked: int
    heard: float
    """When it has last said something, in seconds of the loop's clock."""
    stage: CrowdStage = CrowdStage.JOINING
    figures: Figures = field(default_factory=Figures)
    people: Sequence[History] | None = None
    error: CrowdError | None = None

    @property
    def over(self) -> bool:
        return self.people is not None or self.error is not None

    def hear(self, said: Said) -> None:
        self.stage = said.stage
        if said.failure is not None:
            where = f"On machine '{self.place.machine}': " if self.place.away else ""
            self.error = CrowdError(f"{where}{said.failure}", hint=said.hint)
        elif said.people is not None:
            self.people = said.people
        else:
            self.figures = said.figures

    def end(self, code: int, errors: str) -> None:
        if not self.over:
            last = errors.strip().rpartition("\n")[2]
            self.error = CrowdError(
                f"A process of the crowd{self.place}, with {self.asked} visitors, ended with status"
                f" {code}{f': {last}' if last else ''}.",
                hint=self.place.hint,
            )

    def is_silent(self, now: float) -> bool:
        """Whether its machine must be lost, which nothing else says."""
        return self.place.away and now - self.heard > SILENT_SECONDS

    def tell(self, line: str) -> None:
        """Say a word; what is wrong with a process that cannot hear it is known at its end."""
        with suppress(ProcessError):
            self.flow.write(f"{line}\n".encode(), seconds=TELL_SECONDS)


class Shares:
    """The processes together; `news` is set whenever one of them has said something."""

    def __init__(self, orders: Sequence[tuple[Place, Order]], *, news: asyncio.Event) -> None:
        self._news, self._loop = news, asyncio.get_running_loop()
        now = self._loop.time()
        self.all = [
            Share(Flow(place.program, env=place.env), place, order.visitors, now)
            for place, order in orders
        ]
        self._threads = [Thread(target=self._listen, args=(one,)) for one in self.all]
        for one, (_, order), thread in zip(self.all, orders, self._threads, strict=True):
            thread.start()
            one.tell(json.dumps(to_plain(order)))

    def _listen(self, one: Share) -> None:
        """In a thread of its own: what the process says, until it ends."""
        with suppress(ValueError):  # what it says then is nothing of ours: its end tells
            for line in one.flow.lines():
                change = partial(one.hear, Said.of_line(line))
                self._loop.call_soon_threadsafe(self._told, one, change)
        end = partial(one.end, *one.flow.end(grace=GRACE))
        self._loop.call_soon_threadsafe(self._told, one, end)

    def _told(self, one: Share, change: partial[None]) -> None:
        one.heard = self._loop.time()
        change()
        self._news.set()

    def tell(self, word: Word) -> None:
        for one in self.all:
            one.tell(word)

    def check(self) -> None:
        """Errors: CrowdError if one of them could not do its part, or cannot be heard any more."""
        for one in self.all:
            if one.error is not None:
                raise one.error
            if not one.over and one.is_silent(self._loop.time()):
                raise CrowdError(
                    f"Nothing was heard for {SILENT_SECONDS:.0f} s of the {one.asked} visitors"
                    f"{one.place}.",
                    hint=one.place.hint,
                )

    async def end(self) -> None:
        """Close their input, which lets them leave, and wait for their ends.

        What is silent is ended here; on its own machine it leaves as soon as that is back.
        """
        for one in self.all:
            one.flow.finish()
        pairs = zip(self.all, self._threads, strict=True)
        await asyncio.gather(*(self._end(one, thread) for one, thread in pairs))

    async def _end(self, one: Share, thread: Thread) -> None:
        ended = asyncio.create_task(asyncio.to_thread(thread.join))
        while not (await asyncio.wait({ended}, timeout=LOOK_EVERY))[0]:
            if one.is_silent(self._loop.time()):
                await asyncio.to_thread(one.flow.stop)
