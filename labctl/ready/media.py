"""The last signal: media.  Two people hear each other through a bridge that Jicofo gives them, and
every bridge has answered on each address that it offers and has carried sound.

The bridges are asked for a conference each, some at the same time (`labctl.crowd.media.placed` says
why not through Jicofo).  Sound only and no channel: this ends with the first packets.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.core.crowding import at_once
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline
from labctl.crowd import Crowd, CrowdError, Options, Target
from labctl.crowd.admission import Account
from labctl.crowd.brewery import BRIDGES, Brewery
from labctl.crowd.media import (
    ChannelKind,
    MediaKind,
    MediaOptions,
    MediaStage,
    Reach,
)
from labctl.crowd.sync import wait
from labctl.render.secrets import load_secrets
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

if TYPE_CHECKING:
    from labctl.crowd.media.waits import Person

ATTEMPT_SECONDS = 6.0
ANSWER_SECONDS = 2.0
"""For the addresses that media does not use, after it has passed through another."""
AGAIN_SECONDS = 0.5
LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BridgeProof:
    """What media said of one bridge: the addresses that answered, or why it failed."""

    bridge: str
    reaches: tuple[Reach, ...] = ()
    problem: CrowdError | None = None


@dataclass(frozen=True, slots=True)
class MediaProof:
    """What media said of a lab."""

    bridges: Mapping[str, BridgeProof]
    """By nick."""
    call: CrowdError | None
    """Why two people who asked Jicofo did not hear each other; None if they did."""

    @property
    def problems(self) -> list[CrowdError]:
        """The bridges' first, then Jicofo's: that one may only be a consequence."""
        found = [one.problem for one in self.bridges.values()]
        return [problem for problem in (*found, self.call) if problem is not None]

    @property
    def passed(self) -> bool:
        return not self.problems


def bridges_account(folder: Workdir) -> Account:
    """What the bridges of a lab log in with.  Errors: LabError if it has no secrets."""
    return Account(BRIDGES, load_secrets(folder).jvb_password)


def prove_media(
    lab: Lab, *, seconds: float, progress: Progress, attempt: float = ATTEMPT_SECONDS
) -> MediaProof:
    """Let sound pass through every bridge; what does not pass is tried again for `seconds`.

    `attempt` is how long one try may take, in seconds.  Errors: LabError if the lab has no secrets;
    what fails of media is in the proof."""
    target, account = Target.of(lab), bridges_account(lab.folder)
    prober = _Prober(target, lab.patience.deadline(seconds), progress, attempt)
    return wait(prober.prove(account, lab.topology.bridges, MediaOptions.of(lab.topology)))


class _Prober:
    """One proof of a lab."""

    def __init__(
        self, target: Target, deadline: Deadline, progress: Progress, attempt: float
    ) -> None:
        self._target, self._deadline, self._progress = target, deadline, progress
        self._attempt = attempt
        self._turn = asyncio.Semaphore(at_once())

    async def prove(
        self, account: Account, bridges: Sequence[str], options: MediaOptions
    ) -> MediaProof:
        heard = MediaOptions(
            MediaKind.AUDIO,
            channel=ChannelKind.NONE,
            connect_within=self._attempt,
            bridges=options.bridges,
        )
        told, call = await asyncio.gather(
            self._bridges(account, bridges, heard),
            self._until_passed(lambda: self._call(heard)),
        )
        return MediaProof({one.bridge: one for one in told}, call)

    async def _bridges(
        self, account: Account, bridges: Sequence[str], options: MediaOptions
    ) -> list[BridgeProof]:
        try:
            async with Brewery(self._target, account) as brewery:
                work = (self._bridge(brewery, bridge, options) for bridge in bridges)
                return await asyncio.gather(*work)
        except CrowdError as error:
            return [BridgeProof(bridge, problem=error) for bridge in bridges]

    async def _bridge(self, brewery: Brewery, bridge: str, options: MediaOptions) -> BridgeProof:
        reaches: tuple[Reach, ...] = ()

        async def attempt() -> None:
            nonlocal reaches
            # For one try: a bridge that is tried again must not keep others from their first.
            async with self._turn:
                reaches = await self._place(brewery, bridge, options)

        problem = await self._until_passed(attempt)
        return BridgeProof(bridge, reaches, problem)

    async def _place(
        self, brewery: Brewery, bridge: str, options: MediaOptions
    ) -> tuple[Reach, ...]:
        from labctl.crowd.media.placed import Placed  # late: the libraries for media are heavy

        placed = Placed(self._target, brewery, bridge, options=[options, options])
        try:
            await placed.begin()
            reaches = await self._heard(placed.people, bridge)
        finally:
            placed.end()
        told = ", ".join(str(reach) for reach in reaches)
        self._progress("ready", f"media through bridge '{bridge}': sound; {told}")
        return reaches

    async def _heard(self, people: Sequence[Person], bridge: str) -> tuple[Reach, ...]:
        """Both hear each other, and every address has answered; MediaProblem else."""
        from labctl.crowd.media.waits import probe, wait_media

        await wait_media(people, deadline=self._attempt)
        reaches = await probe(people, deadline=ANSWER_SECONDS)
        raise_unreachable(reaches, bridge)
        return reaches

    async def _call(self, options: MediaOptions) -> None:
        """Two people who join a room as everybody does."""
        from labctl.crowd.media.waits import wait_media

        room = f"labctl-ready-{secrets.token_hex(4)}"
        async with Crowd(self._target, room, options=Options(media=options)) as crowd:
            await crowd.join(2, deadline=2 * self._attempt)
            views = await wait_media(crowd.with_media, deadline=2 * self._attempt)
        where = views[0].bridge or views[0].address
        self._progress("ready", f"media: two participants hear each other through '{where}'")

    async def _until_passed(self, attempt: Callable[[], Awaitable[None]]) -> CrowdError | None:
        """Try until it passes or the deadline is over; what was last wrong."""
        last: CrowdError | None = None
        while True:
            try:
                within = max(self._deadline.left, LAST_WORDS_SECONDS)
                async with asyncio.timeout(within if last is not None else None):
                    await attempt()
                return None
            except TimeoutError:
                return last  # what the attempt before it said is better than that it was cut off
            except CrowdError as error:
                last = error
            if self._deadline.passed:
                return last
            await asyncio.sleep(AGAIN_SECONDS)


def raise_unreachable(reaches: Iterable[Reach], bridge: str) -> None:
    """MediaProblem for the first address at which nobody answers.

    What participants cannot speak to at all (TCP, IPv6 where this machine has none) is no fault
    of the bridge as long as there is another way.
    """
    for reach in reaches:
        if reach.stage not in (None, MediaStage.OFFER):
            raise reach.problem(bridge)
