"""A blip: bridges are lost one after another under a running crowd; who notices, for how long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import wait_until
from labctl.crowd import Kind, Target, View
from labctl.crowd.media import MediaView
from labctl.drills.answering import wait_answering
from labctl.drills.faults import BRIDGE_UNIT, Kill, Spot, Stop
from labctl.drills.heal import Health, heal
from labctl.drills.journal import Journal, UndoEntry, run_entry
from labctl.drills.scripts import render_undo
from labctl.drills.silence import silences
from labctl.drills.stage import MEDIA_SECONDS, Call, DrillStage
from labctl.node.ssh import ensure_config
from labctl.report.blip import BlipRecord, LossRecord
from labctl.topology.lab import Lab

MOVE_SECONDS = 40.0
"""A killed bridge is noticed after 15 s, its calls are elsewhere some seconds later."""
BACK_SECONDS = 90.0
LOOK = 0.1
LISTENING = 2
"""Participants of each call that have sound."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One bridge's loss: how many were in calls, and for how long each interrupted one was not.

    Seconds are from the fault to the participant's next session-accept that Jicofo took; `gone`
    counts those that were not in a call again in time.
    """

    bridge: str
    people: int
    seconds: tuple[float, ...]
    gone: int
    back_after: float
    sound: tuple[float, ...] = ()
    """The longest pause of those with sound, for each to whom it came back."""
    mute: int = 0
    """Those with sound to whom it did not come back in time."""
    listening: int = 0
    """Participants with sound."""

    @property
    def interrupted(self) -> int:
        return len(self.seconds) + self.gone

    @property
    def share(self) -> float:
        """Of all participants, how many noticed (0-1)."""
        return self.interrupted / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Blip:
    """All losses, one after another, and how the lab is afterwards."""

    fault: str
    people: int
    calls: int
    losses: tuple[Loss, ...]
    health: Health

    @property
    def good(self) -> bool:
        """Everybody was in a call again after every loss and heard the others, and the lab is
        healthy."""
        lost = any(each.gone or each.mute for each in self.losses)
        return self.health.after is not None and not lost


def run_blip(
    lab: Lab,
    *,
    people: int,
    calls: int,
    kill: bool,
    progress: Progress,
) -> Blip:
    """Take each bridge away and bring it back, while `people` are in `calls` calls.

    The caller holds the lab's lock.  Errors: LabError; faults are undone in any case.
    """
    if len(lab.topology.bridges) < 2:
        raise LabError(
            "A blip needs two bridges, or every call ends.",
            hint="Run 'labctl up --jvbs 1' to add one.",
        )
    ensure_config(lab)
    fault = Kill(comes_back=False) if kill else Stop()
    losses: list[Loss] = []
    with ExitStack() as stack:
        journal = Journal(lab.folder, what="blip")
        stage = DrillStage(lab, journal, stack, Target.of(lab))
        try:
            running = _start(stage, people=people, calls=calls)
            progress("blip", f"{people} participants in {calls} calls")
            for call in running:
                call.crowd.wait_media(deadline=MEDIA_SECONDS)
            for node in lab.topology.nodes:
                if node.bridge:
                    spot = Spot(node.name, BRIDGE_UNIT, node.bridge)
                    losses.append(_lose(stage, running, spot, fault))
                    progress("blip", render_loss(losses[-1]))
        finally:
            stage.undo()
    health = heal(lab, progress=progress)
    return Blip("SIGKILL" if kill else "stop", people, calls, tuple(losses), health)


def _start(stage: DrillStage, *, people: int, calls: int) -> list[Call]:
    """`people` spread over `calls`, the first calls one larger where it does not go up."""
    sizes = [people // calls + (index < people % calls) for index in range(calls)]
    # Two of a call can tell whether it has sound; more cost this machine's time.
    return [stage.start_call(size, pictures=0, sounds=LISTENING) for size in sizes]


def _lose(stage: DrillStage, calls: Sequence[Call], spot: Spot, fault: Stop | Kill) -> Loss:
    total = len(stage.lab.topology.bridges)
    wait_answering(stage.lab, fault, (spot,))
    began = time.monotonic()
    stage.hit(fault, (spot,))
    stage.wait_operational(total - 1, seconds=MOVE_SECONDS)

    def everybody() -> bool:
        views = [view for call in calls for view in call.crowd.views()]
        heard = [view for call in calls for view in call.crowd.media()]
        out = any(is_out(view, since=began) for view in views)
        return not out and not any(is_mute(view, since=began) for view in heard)

    # What Jicofo sends out follows its own view of the bridges: settled when nobody is out.
    wait_until(everybody, deadline=stage.lab.patience.deadline(MOVE_SECONDS), interval=LOOK)
    views = [view for call in calls for view in call.crowd.views()]
    heard = [view for call in calls for view in call.crowd.media()]
    undone = time.monotonic()
    run_entry(stage.lab, UndoEntry(spot.node, spot.name, render_undo(fault, spot)))
    stage.wait_operational(total, seconds=BACK_SECONDS)
    loss = measure(spot.name, views, since=began, back_after=time.monotonic() - undone)
    return measure_sound(loss, heard, since=began)


def is_out(view: View, *, since: float) -> bool:
    """Whether somebody has no accepted session now, having been in a call before `since`."""
    cut = _cut_at(view, since=since)
    return cut is not None and _again_at(view, after=cut) is None


def measure(bridge: str, views: Sequence[View], *, since: float, back_after: float) -> Loss:
    """What the participants' events after `since` say about one loss."""
    seconds, gone = [], 0
    for view in views:
        cut = _cut_at(view, since=since)
        if cut is None:
            continue
        again = _again_at(view, after=cut)
        if again is None:
            gone += 1
        else:
            seconds.append(again - since)
    return Loss(bridge, len(views), tuple(sorted(seconds)), gone, back_after)


def is_mute(view: MediaView, *, since: float) -> bool:
    """Whether somebody misses another's sound now, since some time after `since`."""
    return any(span.ended is None for span in silences(view, "audio", since=since))


def measure_sound(loss: Loss, views: Sequence[MediaView], *, since: float) -> Loss:
    """The loss, with what those with sound heard from `since` on."""
    hearing = [view for view in views if not is_mute(view, since=since)]
    gaps = (view.longest_gap("audio", since=since) for view in hearing)
    pauses = sorted(gap.seconds if gap is not None else 0.0 for gap in gaps)
    mute = len(views) - len(hearing)
    return replace(loss, sound=tuple(pauses), mute=mute, listening=len(views))


def _cut_at(view: View, *, since: float) -> float | None:
    cuts = (Kind.TERMINATED, Kind.LOST, Kind.REMOVED)
    return next(
        (event.at for event in view.events if event.kind in cuts and event.at > since), None
    )


def _again_at(view: View, *, after: float) -> float | None:
    """The last accept after the last cut: a call may be moved twice."""
    latest = max(
        (event.at for event in view.events if event.kind is Kind.TERMINATED and event.at > after),
        default=after,
    )
    accepted = (
        event.at for event in view.events if event.kind is Kind.ACCEPTED and event.at > latest
    )
    return next(accepted, None)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` (0-1) of all are not above; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def record_blip(blip: Blip) -> BlipRecord:
    """The blip for programs and reports."""
    return BlipRecord(
        fault=blip.fault,
        participants=blip.people,
        calls=blip.calls,
        good=blip.good,
        losses=tuple(_record_loss(loss) for loss in blip.losses),
        seconds=_percentiles([one for loss in blip.losses for one in loss.seconds]),
        sound_paused=_percentiles([one for loss in blip.losses for one in loss.sound]),
        healthy_after=blip.health.after,
        repaired=blip.health.repaired,
        left=blip.health.left,
    )


def _record_loss(loss: Loss) -> LossRecord:
    return LossRecord(
        bridge=loss.bridge,
        participants=loss.people,
        interrupted=loss.interrupted,
        share=round(loss.share, 4),
        gone=loss.gone,
        seconds=_percentiles(loss.seconds),
        bridge_back_after=round(loss.back_after, 3),
        listening=loss.listening,
        mute=loss.mute,
        sound_paused=_percentiles(loss.sound),
    )


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "max": 1.0}
    found = {name: percentile(values, share) for name, share in shares.items()}
    return {name: None if value is None else round(value, 3) for name, value in found.items()}


def render_loss(loss: Loss) -> str:
    """One bridge's loss in a line."""
    half, most = percentile(loss.seconds, 0.5), percentile(loss.seconds, 1.0)
    times = "" if half is None or most is None else f", half within {half:.1f} s, all {most:.1f} s"
    gone = f", {loss.gone} not back" if loss.gone else ""
    return (
        f"{loss.bridge}: {loss.interrupted} of {loss.people} interrupted "
        f"({loss.share:.0%}){times}{gone}; {_sound(loss)}bridge back after {loss.back_after:.1f} s"
    )


def _sound(loss: Loss) -> str:
    """What those with sound heard of it, with what separates it from the rest of a line."""
    if not loss.listening:
        return ""
    words = f"sound paused for {max(loss.sound):.1f} s at most" if loss.sound else "no sound"
    return words + (f", {loss.mute} of {loss.listening} MUTE SINCE; " if loss.mute else "; ")


def render_blip(blip: Blip) -> str:
    """All losses, and the figures over all."""
    every = [second for loss in blip.losses for second in loss.seconds]
    figures = _percentiles(every)
    lines = [render_loss(loss) for loss in blip.losses]
    words = ", ".join(f"{name} {value:.2f} s" for name, value in figures.items() if value)
    lines.append(f"interruptions: {len(every)}" + (f" ({words})" if words else ""))
    if blip.health.repaired:
        lines.append(f"Repaired afterwards: {blip.health.repaired}.")
    if blip.health.left:
        lines.append(f"LEFT BROKEN: {blip.health.left}")
    return "\n".join(lines)
