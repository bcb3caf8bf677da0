"""A blip: bridges are lost one after another under a running crowd; who notices, for how long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from labctl.crowd import Kind, Target, View
from labctl.drills.faults import BRIDGE_UNIT, Kill, Spot, Stop, render_undo
from labctl.drills.heal import Health, heal
from labctl.drills.journal import Entry, Journal, run_entry
from labctl.drills.stage import Call, Stage
from labctl.errors import LabError
from labctl.model import Topology
from labctl.progress import Progress
from labctl.ssh import ensure_config
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

MOVE_SECONDS = 40.0
"""A killed bridge is noticed after 15 s, its calls are elsewhere some seconds later."""
BACK_SECONDS = 90.0
LOOK = 0.1


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
        """Everybody was in a call again after every loss, and the lab is healthy."""
        return self.health.after is not None and not any(each.gone for each in self.losses)


def run_blip(
    workdir: Workdir,
    topology: Topology,
    *,
    people: int,
    calls: int,
    kill: bool,
    progress: Progress,
) -> Blip:
    """Take each bridge away and bring it back, while `people` are in `calls` calls.

    The caller holds the lab's lock.  Errors: LabError; faults are undone in any case.
    """
    if len(topology.bridges) < 2:
        raise LabError(
            "A blip needs two bridges, or every call ends.", hint="Run 'labctl up --jvbs 1'."
        )
    ensure_config(workdir, topology)
    fault = Kill(comes_back=False) if kill else Stop()
    losses: list[Loss] = []
    with ExitStack() as stack:
        journal = Journal(workdir, what="blip")
        stage = Stage(workdir, topology, journal, stack, Target.of(topology, workdir))
        try:
            running = _start(stage, people=people, calls=calls)
            progress("blip", f"{people} participants in {calls} calls")
            for node in topology.nodes:
                if node.bridge:
                    spot = Spot(node.name, BRIDGE_UNIT, node.bridge)
                    losses.append(_lose(stage, running, spot, fault))
                    progress("blip", render_loss(losses[-1]))
        finally:
            stage.undo()
    health = heal(workdir, topology, progress=progress)
    return Blip("SIGKILL" if kill else "stop", people, calls, tuple(losses), health)


def _start(stage: Stage, *, people: int, calls: int) -> list[Call]:
    """`people` spread over `calls`, the first calls one larger where it does not go up."""
    sizes = [people // calls + (index < people % calls) for index in range(calls)]
    return [stage.start_call(size) for size in sizes]


def _lose(stage: Stage, calls: Sequence[Call], spot: Spot, fault: Stop | Kill) -> Loss:
    total = len(stage.topology.bridges)
    began = time.monotonic()
    stage.hit(fault, (spot,))
    stage.wait_operational(total - 1, seconds=MOVE_SECONDS)

    def everybody() -> bool:
        return not any(is_out(view, since=began) for call in calls for view in call.crowd.views())

    # What Jicofo sends out follows its own view of the bridges: settled when nobody is out.
    wait_until(everybody, deadline=Deadline.after(MOVE_SECONDS), interval=LOOK)
    views = [view for call in calls for view in call.crowd.views()]
    undone = time.monotonic()
    run_entry(stage.workdir, Entry(spot.node, spot.name, render_undo(fault, spot)))
    stage.wait_operational(total, seconds=BACK_SECONDS)
    return measure(spot.name, views, since=began, back_after=time.monotonic() - undone)


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


def blip_to_json(blip: Blip) -> dict[str, Any]:
    """Plain data for programs and reports; seconds, shares from 0 to 1."""
    every = [second for loss in blip.losses for second in loss.seconds]
    return {
        "fault": blip.fault,
        "participants": blip.people,
        "calls": blip.calls,
        "good": blip.good,
        "losses": [_loss_to_json(loss) for loss in blip.losses],
        "seconds": _percentiles(every),
        "healthy_after": blip.health.after,
        "repaired": blip.health.repaired,
        "left": blip.health.left,
    }


def _loss_to_json(loss: Loss) -> dict[str, Any]:
    return {
        "bridge": loss.bridge,
        "participants": loss.people,
        "interrupted": loss.interrupted,
        "share": round(loss.share, 4),
        "gone": loss.gone,
        "seconds": _percentiles(loss.seconds),
        "bridge_back_after": round(loss.back_after, 3),
    }


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
        f"({loss.share:.0%}){times}{gone}; bridge back after {loss.back_after:.1f} s"
    )


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
