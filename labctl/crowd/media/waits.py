"""Waits for media: each with a deadline, each failing with a problem that names where."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, assert_never

from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.crowd.media.problem import MediaProblem, MediaStage, Reach, render_address
from labctl.crowd.media.view import MediaView

if TYPE_CHECKING:
    from labctl.crowd.media.call import Call

LOOK_EVERY = 0.05  # seconds; a look at two participants costs 50 us


class Person(Protocol):
    """Who has media: a participant of a room, or an endpoint that was placed on a bridge."""

    @property
    def nick(self) -> str: ...

    @property
    def patience(self) -> Patience: ...

    @property
    def call(self) -> Call | None: ...

    def media(self) -> MediaView | None: ...


async def wait_media(
    people: Sequence[Person],
    *,
    media: Iterable[str] = ("audio",),
    deadline: float,
    after: float = 0.0,
) -> list[MediaView]:
    """Until each of them receives each other's sound (or what `media` says) since `after`.

    Who sends nothing (a visitor) is not waited for.  MediaProblem at once where ICE or DTLS of one
    has failed; at the deadline (seconds) it names a pair between which nothing passes.
    """
    kinds = tuple(media)
    loop = asyncio.get_running_loop()
    end = loop.time() + _patience(people).scaled(deadline)
    while True:
        views = [view for one in people if (view := one.media()) is not None]
        _raise_failed(views, kinds)
        if len(views) == len(people) and _silent(views, kinds, after=after) is None:
            return views
        if loop.time() > end:
            raise _why_silent(people, kinds, after=after, within=_patience(people).scaled(deadline))
        await asyncio.sleep(LOOK_EVERY)


async def settle(people: Sequence[Person], *, media: Iterable[str], deadline: float) -> None:
    """Until everybody's media either passes or has failed; raises nothing: views tell which."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _patience(people).scaled(deadline)
    while loop.time() < end and not all(_decided(one.media()) for one in people):
        await asyncio.sleep(LOOK_EVERY)
    with suppress(MediaProblem):
        left = _patience(people).unscaled(max(end - loop.time(), 0))
        await wait_media(people, media=media, deadline=left)


def _patience(people: Sequence[Person]) -> Patience:
    """That of their lab; all of them are in one."""
    return people[0].patience if people else NO_PATIENCE


def _decided(view: MediaView | None) -> bool:
    return view is not None and (view.connected_at is not None or view.problem is not None)


async def wait_channel(people: Sequence[Person], *, deadline: float) -> None:
    """Until each has a bridge channel on which the bridge has answered; MediaProblem else."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _patience(people).scaled(deadline)
    for one in people:
        while not _answered(view := one.media()):
            if view is not None and view.problem is not None:
                raise view.problem
            if loop.time() > end:
                raise _no_channel(one, within=_patience(people).scaled(deadline))
            await asyncio.sleep(LOOK_EVERY)


async def probe(people: Sequence[Person], *, deadline: float) -> tuple[Reach, ...]:
    """Every candidate of the bridges in use, after each has answered or the deadline is over.

    None of them raises: a lab may mean a candidate to be out of reach.
    """
    calls = [one.call for one in people]
    within = _patience(people).scaled(deadline)
    answers = (call.answered(within) for call in calls if call is not None)
    await asyncio.gather(*answers)
    return reaches_of(view for one in people if (view := one.media()) is not None)


def _raise_failed(views: Sequence[MediaView], kinds: tuple[str, ...]) -> None:
    for view in views:
        problem = view.problem
        if problem is not None and _concerns(problem, kinds):
            raise problem


def _concerns(problem: MediaProblem, kinds: tuple[str, ...]) -> bool:
    """Whether a problem stands in the way of these media."""
    match problem.stage:
        case MediaStage.CHANNEL:
            return False
        case MediaStage.CODECS:
            return problem.media in kinds
        case (
            MediaStage.OFFER | MediaStage.BLOCKED | MediaStage.RELAY | MediaStage.NO_ANSWER
            | MediaStage.WRONG_CREDENTIALS | MediaStage.DTLS | MediaStage.FINGERPRINT
            | MediaStage.NO_PACKETS
        ):  # fmt: skip
            return True
        case _:
            assert_never(problem.stage)


def _silent(
    views: Sequence[MediaView], kinds: tuple[str, ...], *, after: float
) -> tuple[MediaView, MediaView, str] | None:
    """The first who does not receive, whom, and what."""
    for receiver in views:
        if receiver.connected_at is None:
            return receiver, receiver, ""
        for sender in views:
            for kind in kinds:
                if sender is receiver or not any(one.media == kind for one in sender.sent):
                    continue
                if not receiver.receives(sender.nick, kind, after=after):
                    return receiver, sender, kind
    return None


def _why_silent(
    people: Sequence[Person], kinds: tuple[str, ...], *, after: float, within: float
) -> MediaProblem:
    for one in people:
        if one.call is None or one.call.view().invited_at is None:
            detail = f"participant '{one.nick}' was not invited within {within:g} s"
            return MediaProblem(MediaStage.OFFER, detail=detail)
        pending = one.call.pending()
        if pending is not None and one.call.view().connected_at is None:
            return pending
    views = [view for one in people if (view := one.media()) is not None]
    silent = _silent(views, kinds, after=after)
    assert silent is not None
    receiver, sender, kind = silent
    lost = receiver.lost or sender.lost
    if lost is not None:
        return lost
    sent = sum(one.packets for one in sender.sent if one.media == kind)
    detail = (
        f"participant '{receiver.nick}' got no {kind} of '{sender.nick}' within {within:g} s; "
        f"that one sent {sent} packets to {render_address(sender.address, sender.port)}"
    )
    return MediaProblem(
        MediaStage.NO_PACKETS,
        detail=detail,
        bridge=receiver.bridge,
        address=receiver.address,
        port=receiver.port,
    )


def _answered(view: MediaView | None) -> bool:
    channel = view.channel if view is not None else None
    return channel is not None and channel.answered_at is not None and not channel.lost


def _no_channel(one: Person, *, within: float) -> MediaProblem:
    view = one.media()
    if view is None or view.connected_at is None:
        pending = one.call.pending() if one.call is not None else None
        detail = f"participant '{one.nick}' was not invited within {within:g} s"
        return pending or MediaProblem(MediaStage.OFFER, detail=detail)
    channel = view.channel
    if channel is None or channel.opened_at is None:
        what = f"the {channel.kind} channel" if channel is not None else "no channel"
        detail = f"{what} of participant '{one.nick}' did not open within {within:g} s"
    elif channel.lost:
        detail = f"the {channel.kind} channel of participant '{one.nick}' ended: {channel.lost}"
    else:
        detail = f"the bridge says nothing on the {channel.kind} channel within {within:g} s"
    return MediaProblem(
        MediaStage.CHANNEL, detail=detail, bridge=view.bridge, address=view.address, port=view.port
    )


def reaches_of(views: Iterable[MediaView]) -> tuple[Reach, ...]:
    """Every candidate that was offered to any of them, each once, the reachable ones first."""
    found: dict[tuple[str, int, str], Reach] = {}
    for view in views:
        for reach in view.reaches:
            key = (reach.address, reach.port, reach.protocol)
            if key not in found or (reach.reachable and not found[key].reachable):
                found[key] = reach
    return tuple(sorted(found.values(), key=lambda reach: not reach.reachable))
