"""Sound and picture, tried once for the whole session, as much at once as this machine bears.

A call that Jicofo places, a conference on each bridge, one with a visitor on each vnode, and calls
through the TURN server.  Tests read what came of them; nothing here fails by itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from acceptance.chance import tries_for
from labctl.core.crowding import at_once
from labctl.core.errors import LabError
from labctl.crowd import Crowd, Options, Target
from labctl.crowd.admission import Account
from labctl.crowd.brewery import Brewery
from labctl.crowd.media import (
    ChannelKind,
    MediaOptions,
    MediaProblem,
    MediaView,
    Reach,
    RelayKind,
)
from labctl.crowd.media.waits import Person, probe, wait_channel, wait_media
from labctl.crowd.sync import wait
from labctl.ready.explain import explain
from labctl.ready.media import bridges_account, raise_unreachable
from labctl.ready.record import save_record
from labctl.topology.lab import Lab

BOTH = ("audio", "video")
SECONDS = 12.0
JOIN_SECONDS = 20.0
ANSWER_SECONDS = 2.0
CHANNEL_SECONDS = 5.0
RELAYS = (RelayKind.UDP, RelayKind.TLS)


@dataclass(frozen=True, slots=True)
class MediaOutcome:
    """The result of one conference: who received what at the end, and what was wrong."""

    views: tuple[MediaView, ...] = ()
    reaches: tuple[Reach, ...] = ()
    problem: LabError | None = None
    channels: Mapping[ChannelKind, LabError | None] = field(default_factory=dict)
    """What is wrong with a bridge channel alone, by kind; None where the bridge answers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was tried."""

    call: MediaOutcome
    bridges: Mapping[str, MediaOutcome] = field(default_factory=dict)
    halls: Mapping[str, MediaOutcome] = field(default_factory=dict)
    """By vnode; its first view is the speaker's, the second the visitor's.  Under '' is what was
    wrong where somebody did not even get to a vnode."""
    relayed: Mapping[RelayKind, MediaOutcome] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[ChannelKind, ...]:
        """The kinds of bridge channel that Jicofo's offers have; clients take the first."""
        return self.call.views[0].offered if self.call.views else ()

    def answered(self, kind: ChannelKind) -> list[str]:
        """Bridges that answer on this kind of channel."""
        found = self.bridges.items()
        return [nick for nick, one in found if kind in one.channels and not one.channels[kind]]


class Media:
    """The trying, while other tests run."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self._target = lab, Target.of(lab)
        self._options = MediaOptions.of(lab.topology)
        self._turn = asyncio.Semaphore(at_once())
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._done: Future[Seen] = self._pool.submit(self._try)

    def seen(self) -> Seen:
        return self._done.result()

    def end(self) -> None:
        self._pool.shutdown(wait=True)

    def _try(self) -> Seen:
        account = bridges_account(self._lab.folder)
        seen = wait(self._all(account))
        said = {nick: one.problem for nick, one in seen.bridges.items()}
        problems = {nick: error.message if error else "" for nick, error in said.items()}
        save_record(self._lab.folder, problems, by="verify")
        return seen

    async def _all(self, account: Account) -> Seen:
        halls = asyncio.ensure_future(self._halls())
        relays = RELAYS if self._lab.topology.jms.turn else ()
        relayed = asyncio.gather(*(self._relayed(kind) for kind in relays))
        call = await self._call(self._options)
        bridges = await self._bridges(account, Seen(call).channels)
        return Seen(
            call,
            bridges,
            await halls,
            dict(zip(relays, await relayed, strict=True)),
        )

    # One conference each.

    async def _call(self, options: MediaOptions) -> MediaOutcome:
        async def meet(crowd: Crowd) -> MediaOutcome:
            await crowd.join(2, deadline=JOIN_SECONDS, options=Options(media=options))
            return await self._received(crowd.with_media)

        return await self._meet(_room(), meet)

    async def _halls(self) -> dict[str, MediaOutcome]:
        """A conference with a visitor on each vnode: begun until Jicofo has chosen every one."""
        waiting = {vnode.name for vnode in self._lab.topology.vnodes}
        found: dict[str, MediaOutcome] = {}
        tries = tries_for(len(waiting)) if waiting else 0
        while waiting and tries > 0:
            tries -= len(waiting)
            for vnode, outcome in await asyncio.gather(*(self._hall(waiting) for _ in waiting)):
                if outcome is not None:
                    found[vnode] = outcome
            waiting.difference_update(found)
        return found

    async def _hall(self, waiting: set[str]) -> tuple[str, MediaOutcome | None]:
        """The vnode that Jicofo chose, and what came of it; None where that one is not waited for,
        or another conference of this round has it."""
        vnode, known = "", frozenset(waiting)

        async def meet(crowd: Crowd) -> MediaOutcome:
            nonlocal vnode
            options = Options(media=self._options)
            await crowd.join(1, deadline=JOIN_SECONDS, options=options)
            listening = replace(options, want_visitor=True)
            [visitor] = await crowd.join(1, deadline=JOIN_SECONDS, options=listening)
            vnode = visitor.vnode or ""
            if vnode not in waiting:
                return MediaOutcome()
            waiting.discard(vnode)
            return await self._received(crowd.with_media)

        outcome = await self._meet(_room(), meet)
        taken = outcome.problem is not None or (vnode in known and bool(outcome.views))
        return vnode, outcome if taken else None

    async def _relayed(self, kind: RelayKind) -> MediaOutcome:
        """Their sockets lead to the TURN server only: for them UDP to bridges is blocked."""
        return await self._call(replace(self._options, relay=kind))

    async def _meet(
        self, room: str, meet: Callable[[Crowd], Awaitable[MediaOutcome]]
    ) -> MediaOutcome:
        try:
            async with self._turn, Crowd(self._target, room) as crowd:
                return await meet(crowd)
        except LabError as error:
            return MediaOutcome(problem=error)

    async def _bridges(
        self, account: Account, channels: Sequence[ChannelKind]
    ) -> dict[str, MediaOutcome]:
        nicks = self._lab.topology.bridges
        try:
            async with Brewery(self._target, account) as brewery:
                work = (self._bridge(brewery, nick, channels) for nick in nicks)
                return dict(zip(nicks, await asyncio.gather(*work), strict=True))
        except LabError as error:
            return dict.fromkeys(nicks, MediaOutcome(problem=error))

    async def _bridge(
        self, brewery: Brewery, nick: str, channels: Sequence[ChannelKind]
    ) -> MediaOutcome:
        """Two people on the kind of channel that clients take, and one for every other kind."""
        from labctl.crowd.media.placed import Placed  # late: libraries that few tests need

        kinds = channels or (ChannelKind.NONE,)
        options = [replace(self._options, channel=kind) for kind in (kinds[0], *kinds)]
        async with self._turn:
            placed = Placed(self._target, brewery, nick, options=options)
            try:
                await placed.begin()
                found = await self._received(placed.people[:2], bridge=nick)
                if found.problem is not None:
                    return found
                people = zip(channels, placed.people[1:], strict=False)
                answers = {kind: await self._answers(person) for kind, person in people}
                return replace(found, channels=answers)
            except LabError as error:
                return MediaOutcome(problem=error)
            finally:
                placed.end()

    async def _received(self, people: Sequence[Person], *, bridge: str = "") -> MediaOutcome:
        """Everybody's sound and picture; a view for each person, in their order."""
        wrong = await _problem(wait_media(people, media=BOTH, deadline=SECONDS))
        reaches = await probe(people, deadline=ANSWER_SECONDS)
        views = tuple(view for one in people if (view := one.media()) is not None)
        try:
            raise_unreachable(reaches, bridge or views[0].bridge)
        except MediaProblem as problem:
            wrong = wrong or problem
        return MediaOutcome(views, reaches, wrong)

    async def _answers(self, person: Person) -> LabError | None:
        return await _problem(wait_channel([person], deadline=CHANNEL_SECONDS))


def _room() -> str:
    return f"accept-media-{secrets.token_hex(4)}"


async def _problem(work: Awaitable[object]) -> LabError | None:
    try:
        await work
    except LabError as error:
        return error
    return None


def reasons(lab: Lab, problem: LabError) -> Iterator[str]:
    """The problem, and what the firewalls of the node and of this machine say of it."""
    yield problem.message
    if isinstance(problem, MediaProblem):
        yield from explain(lab, problem)
