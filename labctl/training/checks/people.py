"""Checks by people who join rooms, without browsers: sound, visitors, and how many have a seat."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator

from labctl.core.errors import LabError
from labctl.crowd import Crowd, Options, Target, View
from labctl.crowd.media import MediaProblem
from labctl.crowd.sync import crowd_in, wait
from labctl.ready.explain import explain
from labctl.ready.media import prove_media
from labctl.ready.probe import probe
from labctl.training.checks.base import CheckContext
from labctl.training.surroundings import words

JOIN_SECONDS = 5.0
SEEN_SECONDS = 5.0
ATTEMPT_SECONDS = 3.0
OWN_PRESENCE = "waited for its own presence"
NOT_LINKED = "the main Prosody has not told it of the conference, which it does by s2s."
ROUNDS = 12
"""Jicofo chooses a vnode by chance: with two rooms per vnode and round, one in 10^10 labs is told
that a sound vnode was never chosen."""


def check_sound(context: CheckContext) -> Iterator[str]:
    """Sound passes through every bridge, or through the `bridges` that are named."""
    wanted = context.given.get("bridges")
    proof = prove_media(
        context.lab, seconds=0.0, progress=context.progress, attempt=ATTEMPT_SECONDS
    )
    for bridge in proof.bridges.values():
        problem = bridge.problem
        if problem is None or (wanted is not None and bridge.bridge not in wanted):
            continue
        why = explain(context.lab, problem) if isinstance(problem, MediaProblem) else ()
        yield " ".join((problem.message, *why))


def check_hall(context: CheckContext) -> Iterator[str]:
    """A visitor whom Jicofo sends to `vnode` is let in and sees the stage."""
    vnode = words(context.lab, context.text("vnode"))
    jms = probe(context.lab, context.lab.topology.jms)
    if vnode not in jms.connections:
        yield f"Jicofo is not connected to '{vnode}', so it sends nobody there."
        return
    rooms = 2 * max(2, len(context.lab.topology.vnodes))
    target = Target.of(context.lab)
    for _ in range(ROUNDS):
        found = wait(_round(target, rooms, vnode))
        if found is not None:
            yield from found
            return
    yield f"Jicofo sends no visitor to '{vnode}', although it is connected to it."


async def _round(target: Target, rooms: int, vnode: str) -> list[str] | None:
    """Begin some conferences with a visitor each; what is wrong with one on the vnode, or None if
    there was none."""
    told = await asyncio.gather(*(_visit(target, vnode) for _ in range(rooms)))
    seen = [one for one in told if one is not None]
    return seen[0] if seen else None


async def _visit(target: Target, vnode: str) -> list[str] | None:
    """One conference; None if its visitor was sent to another vnode."""
    async with Crowd(target, f"class-{secrets.token_hex(4)}") as crowd:
        try:
            [speaker] = await crowd.join(1, deadline=JOIN_SECONDS)
        except LabError as error:
            return [f"Nobody can begin a conference: {shortened(error.message)}"]
        try:
            await crowd.join(1, deadline=JOIN_SECONDS, options=Options(want_visitor=True))
            visitor, refused = crowd.participants[-1], ""
        except LabError as error:
            visitor, refused = crowd.participants[-1], error.message
        if visitor.vnode != vnode:
            return None
        if OWN_PRESENCE in refused:
            return [f"A visitor waits at the door of '{vnode}': {NOT_LINKED}"]
        if refused:
            return [f"A visitor on '{vnode}' does not get in: {shortened(refused)}"]
        if not await _sees(visitor.view, speaker.nick, target):
            return [f"A visitor on '{vnode}' got in and does not see the stage."]
        return []


def shortened(message: str) -> str:
    """What a participant says went wrong, without the stanza that it saw last."""
    return message.partition(" Last frame:")[0]


async def _sees(view: Callable[[], View], nick: str, target: Target) -> bool:
    deadline = target.patience.deadline(SEEN_SECONDS)
    while nick not in view().others:
        if deadline.passed:
            return False
        await asyncio.sleep(0.1)
    return True


def check_seats(context: CheckContext) -> Iterator[str]:
    """A conference takes exactly `seats` people; whoever comes next is a visitor."""
    seats = int(context.given["seats"])
    target = Target.of(context.lab)
    try:
        with crowd_in(target, f"class-{secrets.token_hex(4)}") as crowd:
            crowd.join(seats + 1, deadline=JOIN_SECONDS)
            main = [view.vnode is None for view in crowd.views()]
    except LabError as error:
        yield f"{seats + 1} people could not join one room: {shortened(error.message)}"
        return
    taken = sum(main)
    if main == [True] * seats + [False]:
        return
    if taken > seats:
        yield f"All of {seats + 1} people got a seat; the last one should have become a visitor."
    else:
        yield f"Only {taken} of the first {seats} people got a seat; the others became visitors."
