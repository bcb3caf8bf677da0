"""A crowd from its first participant to its last: join, be invited, stay, leave."""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from labctl.crowd.crowd import Crowd
from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, History, summarise
from labctl.crowd.media.figures import MediaFigures, summarise_media
from labctl.crowd.media.options import MediaOptions
from labctl.crowd.options import Options
from labctl.crowd.target import Target

TICK = 0.5  # seconds between two looks at the crowd
LOOK_SHARE = 0.1
"""The most of a core that goes into looking: with thousands, a look takes a tenth of a second."""
JOIN_DEADLINE = 60.0
"""Seconds for each: Jitsi lets 3 a second into a main room, so the last of 50 waits for 17."""
INVITE_DEADLINE = 30.0
"""Seconds; the original Jicofo waits 15 for a client that does not say what it can do."""
FIRST_PACKETS = 5.0  # seconds
SPARE_FILES = 64


class CrowdStage(StrEnum):
    """What the crowd is at."""

    JOINING = "joining"
    INVITING = "waiting for invitations"
    CONNECTING = "waiting for media"
    HOLDING = "holding"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """How many of the participants and of the visitors have media, and which."""

    participants: int
    visitors: int
    options: MediaOptions

    @property
    def total(self) -> int:
        return self.participants + self.visitors


@dataclass(frozen=True, slots=True)
class CrowdPlan:
    """How many join, how many per second, and how many seconds they stay."""

    participants: int
    visitors: int
    hold: float
    rate: float
    media: MediaPlan | None = None

    @property
    def total(self) -> int:
        return self.participants + self.visitors


@dataclass(frozen=True, slots=True)
class CrowdOutcome:
    """How a crowd came out; `interrupted` if it was told to leave early."""

    figures: Figures
    interrupted: bool
    histories: tuple[History, ...] = ()
    """What the figures are made of, as it was before they left."""
    machines: Mapping[str, int] = field(default_factory=dict)
    """How many visitors came from each machine; empty if all came from this one."""


Show = Callable[[CrowdStage, Figures], None]
Stay = Callable[[], Awaitable[object]]


async def run_crowd(
    target: Target, room: str, plan: CrowdPlan, *, show: Show, stay: Stay | None = None
) -> CrowdOutcome:
    """Run the plan; `show` is told twice a second at most how it goes.

    They stay for the plan's `hold`, or until `stay` returns.  Everybody leaves in order, also when
    this is cancelled: that ends the crowd early and is no error.  CrowdError at once if not even
    the first participant joined."""
    want_files(plan.total)
    target.context()
    interrupted = False
    async with Crowd(target, room) as crowd:
        run = _Run(crowd, plan, show, stay or (lambda: asyncio.sleep(plan.hold)))
        try:
            await run.play()
        except asyncio.CancelledError:
            interrupted = True
            uncancel()
        finally:
            histories = run.histories()
            figures = run.summarised(histories)
            await run.stop()
        show(CrowdStage.LEAVING, figures)
    return CrowdOutcome(figures, interrupted, tuple(histories))


def uncancel() -> None:
    """Let this task go on after it was cancelled: what is left is to leave in order."""
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
    """Raise this process's limit of open files if it is too low; CrowdError if that is not
    allowed."""
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CrowdError(
            f"A crowd of {connections} needs {wanted} open files; this process may have {hard}.",
            hint=f"Raise the limit ('ulimit -n {wanted}' as root) or let fewer participants join.",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Run:
    """The stages of one run.  Work goes on in a task of its own, so that an interruption finds
    the participants as they were."""

    def __init__(self, crowd: Crowd, plan: CrowdPlan, show: Show, stay: Stay) -> None:
        self._crowd, self._plan, self._show, self._stay = crowd, plan, show, stay
        self._work: asyncio.Task[None] | None = None

    def figures(self) -> Figures:
        return self.summarised(self.histories())

    def summarised(self, histories: Sequence[History]) -> Figures:
        return summarise(histories, asked=self._plan.total, media=self._media_figures())

    def histories(self) -> list[History]:
        return [one.history() for one in self._crowd.participants]

    def _media_figures(self) -> MediaFigures | None:
        plan = self._plan.media
        if plan is None:
            return None
        return summarise_media(self._crowd.media(), asked=plan.total, kinds=plan.options.kind.media)

    async def play(self) -> None:
        plan, media = self._plan, self._plan.media
        with_media = media.participants if media is not None else 0
        await self._come(plan.participants, with_media, Options())
        with_media = media.visitors if media is not None else 0
        await self._come(plan.visitors, with_media, Options(want_visitor=True))
        await self._stage(CrowdStage.INVITING, self._invited())
        if media is not None:
            await self._stage(CrowdStage.CONNECTING, self._connected(media))
        await self._stage(CrowdStage.HOLDING, self._hold())

    async def _come(self, count: int, with_media: int, options: Options) -> None:
        """Those with media first: the others make the room a crowded one."""
        if with_media and self._plan.media is not None:
            media = replace(options, media=self._plan.media.options)
            await self._stage(CrowdStage.JOINING, self._join(with_media, media))
        await self._stage(CrowdStage.JOINING, self._join(count - with_media, options))

    async def stop(self) -> None:
        """End what is still at work; nobody else begins to join."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _stage(self, stage: CrowdStage, work: Coroutine[None, None, None]) -> None:
        self._work, loop, pause = asyncio.create_task(work), asyncio.get_running_loop(), TICK
        while True:
            await asyncio.wait({self._work}, timeout=pause)
            began = loop.time()
            figures = self.figures()
            self._show(stage, figures)
            pause = max(TICK, (loop.time() - began) / LOOK_SHARE)
            if self._work.done():
                break
            self._check_hope(figures)
        self._work.result()
        self._check_hope(figures)

    def _check_hope(self, figures: Figures) -> None:
        """If the first fails and nobody has joined, there is no need to try the others."""
        if figures.lost and not figures.joined:
            reason = next(iter(figures.lost))
            raise CrowdError(
                f"Nobody came into room '{self._crowd.room}': {reason}.",
                hint="'labctl status' shows whether the lab is healthy; 'labctl up' repairs it.",
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

    async def _connected(self, plan: MediaPlan) -> None:
        """A participant gives up ICE after its own time; a few seconds more for first packets."""
        from labctl.crowd.media.waits import settle  # late: it needs the libraries for media

        kinds, within = plan.options.kind.media, plan.options.connect_within
        await settle(self._crowd.with_media, media=kinds, deadline=within + FIRST_PACKETS)

    async def _hold(self) -> None:
        """Until the time is over or nobody is left."""
        over = asyncio.ensure_future(self._stay())
        try:
            while not over.done() and self._anybody():
                await asyncio.wait({over}, timeout=TICK)
        finally:
            over.cancel()

    def _anybody(self) -> bool:
        return any(one.state == "joined" for one in self._crowd.participants)
