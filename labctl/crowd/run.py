"""A crowd from its first participant to its last: join, be invited, stay, leave."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from labctl.crowd.crowd import Crowd
from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, summarise
from labctl.crowd.inbox import Options
from labctl.crowd.target import Target

TICK = 0.5  # seconds between two looks at the crowd
JOIN_DEADLINE = 60.0
"""Seconds for each: Jitsi lets 3 a second into a main room, so the last of 50 waits for 17."""
INVITE_DEADLINE = 30.0
"""Seconds; the original Jicofo waits 15 for a client that does not say what it can do."""
SPARE_FILES = 64


class Stage(StrEnum):
    """What the crowd is at."""

    JOINING = "joining"
    INVITING = "waiting for invitations"
    HOLDING = "holding"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many come, how fast (a second), and how long they stay (seconds)."""

    participants: int
    visitors: int
    hold: float
    rate: float

    @property
    def total(self) -> int:
        return self.participants + self.visitors


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a crowd; `interrupted` when it was told to leave early."""

    figures: Figures
    interrupted: bool


Show = Callable[[Stage, Figures], None]


async def run_crowd(target: Target, room: str, plan: Plan, *, show: Show) -> Outcome:
    """Run the plan; `show` is told twice a second how it goes.

    Everybody leaves in order, also when this is cancelled: that ends the crowd early and is no
    error.  CrowdError where not even the first came in, at once.
    """
    want_files(plan.total)
    target.context()
    interrupted = False
    async with Crowd(target, room) as crowd:
        run = _Run(crowd, plan, show)
        try:
            await run.play()
        except asyncio.CancelledError:
            interrupted = True
            _uncancel()
        finally:
            figures = run.figures()
            await run.stop()
        show(Stage.LEAVING, figures)
    return Outcome(figures, interrupted)


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def spare_collector() -> None:
    """Let Python look for cycles seldom: a twentieth of the CPU time of a crowd goes there.

    For a process that is nothing but a crowd and ends with it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def want_files(connections: int) -> None:
    """Raise this process's limit of open files where it is too low; CrowdError if it may not."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CrowdError(
            f"A crowd of {connections} needs {wanted} open files; this process may have {hard}.",
            hint=f"Raise the limit ('ulimit -n {wanted}' as root) or let fewer come.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Run:
    """The stages of one run.  Work goes on in a task of its own, so that an interruption finds
    the participants as they were."""

    def __init__(self, crowd: Crowd, plan: Plan, show: Show) -> None:
        self._crowd, self._plan, self._show = crowd, plan, show
        self._work: asyncio.Task[None] | None = None

    def figures(self) -> Figures:
        histories = [one.history() for one in self._crowd.participants]
        return summarise(histories, asked=self._plan.total)

    async def play(self) -> None:
        plan = self._plan
        await self._stage(Stage.JOINING, self._join(plan.participants, Options()))
        await self._stage(Stage.JOINING, self._join(plan.visitors, Options(want_visitor=True)))
        await self._stage(Stage.INVITING, self._invited())
        await self._stage(Stage.HOLDING, self._hold())

    async def stop(self) -> None:
        """End what still works; nobody begins to join any more."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _stage(self, stage: Stage, work: Coroutine[None, None, None]) -> None:
        self._work = asyncio.create_task(work)
        while True:
            await asyncio.wait({self._work}, timeout=TICK)
            figures = self.figures()
            self._show(stage, figures)
            if self._work.done():
                break
            self._check_hope(figures)
        self._work.result()
        self._check_hope(figures)

    def _check_hope(self, figures: Figures) -> None:
        """Where the first fails and nobody is in, the others need not be tried."""
        if figures.lost and not figures.joined:
            reason = next(iter(figures.lost))
            raise CrowdError(
                f"Nobody came into room '{self._crowd.room}': {reason}.",
                hint="'labctl status' shows whether the lab is well, 'labctl up' repairs it.",
            )

    # The stages themselves.  Who fails is in the figures.

    async def _join(self, count: int, options: Options) -> None:
        with suppress(CrowdError):
            await self._crowd.join(
                count,
                rate=self._plan.rate,
                deadline=JOIN_DEADLINE,
                options=options,
            )

    async def _invited(self) -> None:
        with suppress(CrowdError):
            await self._crowd.wait_invited(deadline=INVITE_DEADLINE)

    async def _hold(self) -> None:
        """Until the time is over or nobody is left."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._plan.hold
        while loop.time() < end and self._anybody():
            await asyncio.sleep(min(TICK, max(end - loop.time(), 0)))

    def _anybody(self) -> bool:
        return any(one.state == "joined" for one in self._crowd.participants)
