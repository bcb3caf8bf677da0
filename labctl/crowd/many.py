"""A crowd in several processes, with one table: one process fills one core.

Who takes part, and who has media, is in this process; other visitors are shared out to processes
of their own (`labctl.crowd.share`), which begin once all of this process are in.  All leave at the
same time.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Thread

from labctl.core.flow import Flow
from labctl.core.plain import to_plain
from labctl.core.process import ProcessError
from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, History, merge, summarise
from labctl.crowd.run import CrowdOutcome, CrowdPlan, CrowdStage, Show, run_crowd, uncancel
from labctl.crowd.share import Order, Said, Word
from labctl.crowd.target import Target

PROGRAM = (sys.executable, "-P", "-m", "labctl.crowd.share")
TELL_SECONDS = 10.0
"""How long a process may take to read a word."""

GRACE = 15.0
"""Seconds in which a process ends that has said all."""

STAGES = tuple(CrowdStage)
IN = (CrowdStage.HOLDING, CrowdStage.LEAVING)


def split(plan: CrowdPlan, processes: int) -> tuple[CrowdPlan, list[int]]:
    """What this process does of a plan, and how many visitors each of the others has."""
    own = plan.media.visitors if plan.media is not None else 0
    each, more = divmod(plan.visitors - own, processes)
    shares = [each + (index < more) for index in range(processes)]
    return replace(plan, visitors=own), [count for count in shares if count]


@dataclass(slots=True, eq=False)
class Share:
    """One of the processes, as far as it has told."""

    flow: Flow
    asked: int
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
            self.error = CrowdError(said.failure, hint=said.hint)
        elif said.people is not None:
            self.people = said.people
        else:
            self.figures = said.figures

    def end(self, code: int, errors: str) -> None:
        if not self.over:
            last = errors.strip().rpartition("\n")[2]
            self.error = CrowdError(
                f"A process of the crowd, with {self.asked} visitors, ended with status {code}"
                f"{f': {last}' if last else ''}.",
                hint="'--processes 1' keeps everybody in one process.",
            )

    def tell(self, line: str) -> None:
        """Say a word; what is wrong with a process that cannot hear it is known at its end."""
        with suppress(ProcessError):
            self.flow.write(f"{line}\n".encode(), seconds=TELL_SECONDS)


class Shares:
    """The processes together; `news` is set whenever one of them has said something."""

    def __init__(
        self, orders: Sequence[Order], program: Sequence[str], *, news: asyncio.Event
    ) -> None:
        self._news, self._loop = news, asyncio.get_running_loop()
        self.all = [Share(Flow(program), order.visitors) for order in orders]
        self._threads = [Thread(target=self._listen, args=(one,)) for one in self.all]
        for one, order, thread in zip(self.all, orders, self._threads, strict=True):
            thread.start()
            one.tell(json.dumps(to_plain(order)))

    def _listen(self, one: Share) -> None:
        """In a thread of its own: what the process says, until it ends."""
        with suppress(ValueError):  # what it says then is nothing of ours: its end tells
            for line in one.flow.lines():
                change = partial(one.hear, Said.of_line(line))
                self._loop.call_soon_threadsafe(self._told, change)
        end = partial(one.end, *one.flow.end(grace=GRACE))
        self._loop.call_soon_threadsafe(self._told, end)

    def _told(self, change: partial[None]) -> None:
        change()
        self._news.set()

    def tell(self, word: Word) -> None:
        for one in self.all:
            one.tell(word)

    def check(self) -> None:
        """Errors: CrowdError if one of them could not do its part."""
        for one in self.all:
            if one.error is not None:
                raise one.error

    async def end(self) -> None:
        """Close their input, which lets them leave, and wait for their ends."""
        for one in self.all:
            one.flow.finish()
        await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in self._threads))


async def run_many(
    target: Target,
    room: str,
    plan: CrowdPlan,
    *,
    folder: str,
    processes: int,
    show: Show,
    program: Sequence[str] = PROGRAM,
) -> CrowdOutcome:
    """As `run_crowd`, with the visitors in so many more processes; with one, all are in this one.

    `folder` is the lab's.  Errors: CrowdError if nobody came, or a process ended without having
    said what became of it.
    """
    if processes == 1:
        return await run_crowd(target, room, plan, show=show)
    own, counts = split(plan, processes)
    keys = str(target.keys) if target.keys is not None else None
    orders = [Order(folder, room, count, plan.rate / len(counts), keys) for count in counts]
    news = asyncio.Event()
    shares = Shares(orders, program, news=news)
    try:
        return await _Many(target, room, (plan, own), shares, news, show).play()
    finally:
        await shares.end()


class _Many:
    """One run.  This process's own crowd is a task, and goes on by itself meanwhile."""

    def __init__(
        self,
        target: Target,
        room: str,
        plans: tuple[CrowdPlan, CrowdPlan],
        shares: Shares,
        news: asyncio.Event,
        show: Show,
    ) -> None:
        self._plan, own = plans
        self._shares, self._news, self._show_all = shares, news, show
        self._stage, self._figures = CrowdStage.JOINING, Figures()
        self._leave = asyncio.Event()
        self._crowd = asyncio.create_task(
            run_crowd(target, room, own, show=self._show_own, stay=self._leave.wait)
            if own.total
            else self._nobody()
        )
        self._crowd.add_done_callback(lambda _: news.set())

    async def _nobody(self) -> CrowdOutcome:
        self._stage = CrowdStage.LEAVING
        return CrowdOutcome(Figures(), interrupted=False)

    def _show_own(self, stage: CrowdStage, figures: Figures) -> None:
        self._stage, self._figures = stage, figures
        self._news.set()

    async def play(self) -> CrowdOutcome:
        interrupted = False
        try:
            await self._until(lambda: self._stage in IN)
            self._shares.tell(Word.BEGIN)
            await self._until(lambda: all(one.stage in IN for one in self._shares.all))
            await self._hold()
        except asyncio.CancelledError:
            interrupted = True
            uncancel()
        except CrowdError:
            self._let_go()
            await asyncio.wait({self._crowd})
            raise
        self._let_go()
        own = await self._crowd
        await self._until(self._all_over)
        people = [history for one in self._shares.all for history in one.people or ()]
        histories = (*own.histories, *people)
        figures = summarise(histories, asked=self._plan.total, media=own.figures.media)
        return CrowdOutcome(figures, interrupted, histories)

    def _all_over(self) -> bool:
        return self._crowd.done() and all(one.over for one in self._shares.all)

    async def _until(self, reached: Callable[[], bool]) -> None:
        """Wait for something to be so, and show what changes meanwhile.  Errors: CrowdError."""
        while True:
            self._shares.check()
            if self._crowd.done():
                self._crowd.result()
            self._show()
            if reached():
                return
            self._news.clear()
            await self._news.wait()

    def _show(self) -> None:
        """All together; the stage is that of whoever is least far."""
        parts = [self._figures, *(one.figures for one in self._shares.all)]
        stages = [self._stage, *(one.stage for one in self._shares.all)]
        told = replace(merge(parts), asked=self._plan.total)
        self._show_all(min(stages, key=STAGES.index), told)

    async def _hold(self) -> None:
        """Until the time is over or nobody is left anywhere."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.hold):
                await self._until(self._all_over)

    def _let_go(self) -> None:
        self._leave.set()
        self._shares.tell(Word.LEAVE)
        if self._stage not in IN:
            self._crowd.cancel()
