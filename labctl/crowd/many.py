"""A crowd in several processes, with one table: one process fills one core.

Who takes part, and who has media, is in this process; other visitors are shared out to processes
of their own (`labctl.crowd.share`), which begin once all of this process are in, and leave before
them: a conference ends with its participants, and visitors who are still there would be removed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, merge, summarise
from labctl.crowd.run import CrowdOutcome, CrowdPlan, CrowdStage, Show, run_crowd, uncancel
from labctl.crowd.share import Order, Word
from labctl.crowd.shares import LOOK_EVERY, Place, Shares
from labctl.crowd.target import Target
from labctl.topology.hosts import HERE

STAGES = tuple(CrowdStage)
IN = (CrowdStage.HOLDING, CrowdStage.LEAVING)


def split(plan: CrowdPlan, processes: int) -> tuple[CrowdPlan, list[int]]:
    """What this process does of a plan, and how many visitors each of the others has."""
    own = plan.media.visitors if plan.media is not None else 0
    each, more = divmod(plan.visitors - own, processes)
    shares = [each + (index < more) for index in range(processes)]
    return replace(plan, visitors=own), [count for count in shares if count]


async def run_many(
    target: Target,
    room: str,
    plan: CrowdPlan,
    *,
    places: Sequence[Place],
    show: Show,
) -> CrowdOutcome:
    """As `run_crowd`, with a process for visitors in each place; without, all are in this one.

    Errors: CrowdError if nobody came, or a process ended without having said what became of it, or
    its machine is silent.
    """
    if not places:
        return await run_crowd(target, room, plan, show=show)
    own, counts = split(plan, len(places))
    rate, orders = plan.rate / len(counts), []
    for place, count in zip(places, counts, strict=False):
        orders.append((place, Order.of(target, room, visitors=count, rate=rate, away=place.away)))
    news = asyncio.Event()
    shares = Shares(orders, news=news)
    try:
        outcome = await _Many(target, room, (plan, own), shares, news, show).play()
    finally:
        await shares.end()
    return replace(outcome, machines=_by_machine(orders, own=own.visitors))


def _by_machine(orders: Sequence[tuple[Place, Order]], *, own: int) -> dict[str, int]:
    """How many visitors each machine had; `own` are in this process."""
    if not any(place.away for place, _ in orders):
        return {}
    found = Counter({HERE: own})
    for place, order in orders:
        found[place.machine] += order.visitors
    return dict(found)


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
        try:
            interrupted = await self._stay()
            self._shares.tell(Word.LEAVE)
            await self._until(lambda: all(one.over for one in self._shares.all))
        except CrowdError:
            self._shares.tell(Word.LEAVE)
            self._let_go()
            await asyncio.wait({self._crowd})
            raise
        self._let_go()
        own = await self._crowd
        self._show()
        people = [history for one in self._shares.all for history in one.people or ()]
        histories = (*own.histories, *people)
        figures = summarise(histories, asked=self._plan.total, media=own.figures.media)
        return CrowdOutcome(figures, interrupted, histories)

    async def _stay(self) -> bool:
        """Let all come and stay; whether that was interrupted."""
        try:
            await self._until(lambda: self._stage in IN)
            self._shares.tell(Word.BEGIN)
            await self._until(lambda: all(one.stage in IN for one in self._shares.all))
            await self._hold()
        except asyncio.CancelledError:
            uncancel()
            return True
        return False

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
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
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
        if self._stage not in IN:
            self._crowd.cancel()
