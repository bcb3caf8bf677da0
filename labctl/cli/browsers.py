"""`labctl crowd --browsers N`: participants in a real browser, and what they hear and see."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.core.errors import UsageError
from labctl.core.exits import ExitCode

if TYPE_CHECKING:
    from labctl.browser.figures import Snapshot
    from labctl.browser.group import GroupMember, GroupResult
    from labctl.browser.session import Chromium
    from labctl.topology.lab import Lab

WEB = "jitsi-meet-web"
FEWEST = 2  # Jicofo does not invite a single participant


@dataclass(frozen=True, slots=True)
class BrowserPlan:
    """How many browsers join which room, how many seconds they stay, and where pictures go.

    `keys` gets the secrets of their TLS connections.
    """

    room: str
    count: int
    hold: float
    pictures: Path
    own_page: bool
    """True for our page, false for Jitsi's own application."""
    keys: Path | None = None


def run_browsers(lab: Lab, plan: BrowserPlan, *, as_json: bool) -> int:
    """Let them join, stay and leave; the exit status says whether all heard and saw all others."""
    from labctl.browser.needs import want_browser

    if plan.count < FEWEST:
        raise UsageError(f"One browser alone has nobody to see; use {FEWEST} or more.")
    want_browser()
    began = time.monotonic()

    def tell(words: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f}s  {words}", err=True)

    page = "labctl's own page" if plan.own_page else "Jitsi's web application"
    tell(f"room '{plan.room}', {plan.count} browsers with {page}")
    with asyncio.Runner() as runner:
        result, interrupted = runner.run(_play(lab, plan, tell))
    _print(lab, plan, result, as_json=as_json)
    if interrupted:
        return ExitCode.INTERRUPTED
    return 0 if result.well else 1


def has_original_page(lab: Lab) -> bool:
    """Whether the JMS has Jitsi's original web application; the node is asked."""
    from labctl.ready.probe import probe

    state = probe(lab, lab.topology.jms)
    return WEB in state.versions and WEB not in state.stand_ins


async def _play(
    lab: Lab, plan: BrowserPlan, tell: Callable[[str], None]
) -> tuple[GroupResult, bool]:
    from labctl.browser.group import MEDIA_DEADLINE, BrowserGroup
    from labctl.browser.session import open_chromium
    from labctl.crowd import Target

    async with open_chromium(Target.of(lab, keys=plan.keys)) as chromium:
        tell("Chromium is open")
        async with BrowserGroup(_maker(chromium, plan)) as group:
            await group.join(plan.count)
            tell(f"{len(group.people)} joined")
            result = await group.wait_media(lab.patience.deadline(MEDIA_DEADLINE))
            tell("everybody hears and sees" if result.well else "not everybody hears and sees")
            interrupted = await _hold(plan.hold)
            for file in await group.screenshots(plan.pictures):
                tell(f"picture: {file}")
            return await group.result(), interrupted


def _maker(chromium: Chromium, plan: BrowserPlan) -> Callable[[], GroupMember]:
    from labctl.browser.participant import BrowserParticipant
    from labctl.browser.webapp import WebAppParticipant

    if plan.own_page:
        return lambda: BrowserParticipant(chromium, plan.room)
    return lambda: WebAppParticipant(chromium, plan.room)


async def _hold(seconds: float) -> bool:
    """Wait; true if Ctrl-C ended it early.  The participants then leave cleanly."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        return True
    return False


def _print(lab: Lab, plan: BrowserPlan, result: GroupResult, *, as_json: bool) -> None:
    if as_json:
        told = {"lab": lab.topology.lab, "room": plan.room, "hold": plan.hold, **result.to_json()}
        click.echo(json.dumps(told, indent=2))
        return
    for snapshot in result.snapshots:
        _print_one(snapshot)
    for nick, lack in result.lacks.items():
        click.secho(f"{nick}: {lack}", fg="red")
    words = "Everybody hears and sees everybody." if result.well else "Not everybody has media."
    click.secho(f"\n{words}", fg="green" if result.well else "red", bold=True)


def _print_one(one: Snapshot) -> None:
    where = f"visitor on {one.vnode}" if one.vnode else "main room"
    click.secho(f"{one.nick}  {where}, connection {one.state}", bold=True)
    if one.pair is not None:
        rate = one.pair.available_out / 1000
        click.echo(
            f"  bridge {one.pair.remote}, rtt {one.pair.rtt * 1000:.0f} ms, up {rate:.0f} kbit/s"
        )
    if one.channel is not None:
        click.echo(f"  channel {one.channel.kind}, {'open' if one.channel.open else 'closed'}")
    for track in one.received:
        seen = (
            f"{track.frames_decoded} frames of {track.width}x{track.height}"
            if track.media == "video"
            else f"energy {track.audio_energy:.2f}"
        )
        click.echo(
            f"  {track.media} {track.name:<12} {track.packets:6} packets, {track.lost} lost,"
            f" longest gap {track.longest_gap * 1000:.0f} ms, {seen}"
        )
