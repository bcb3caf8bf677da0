"""Running a drill: place calls, make the fault, watch, undo, prove the lab healthy, judge."""

from __future__ import annotations

import time

from labctl.drills.heal import Health, heal
from labctl.drills.judge import judge, verdict_of
from labctl.drills.model import Drill, DrillResult, Finding, Verdict
from labctl.drills.needs import why_not
from labctl.drills.show import Show
from labctl.errors import LabError
from labctl.model import Topology
from labctl.progress import Progress
from labctl.ready import probe
from labctl.ssh import ensure_config
from labctl.waiting import patience, scaled
from labctl.workdir import Workdir


def run_drill(
    drill: Drill, *, workdir: Workdir, topology: Topology, progress: Progress
) -> DrillResult:
    """Run one drill.  The caller holds the lab's lock and has undone what was left.

    Whatever happens, every fault is undone before this returns or raises.  A drill that could
    not be carried out is 'worse', with the reason.
    """
    if reason := why_not(drill, topology):
        return DrillResult(drill, Verdict.SKIPPED, 0.0, reason=reason)
    ensure_config(workdir, topology)
    began = time.monotonic()
    show = Show(drill, workdir, topology, progress)
    trouble, left = "", ""
    try:
        show.play()
    except LabError as error:
        trouble = error.message
    finally:
        left = show.close()
    health = Health(None, left=left) if left else heal(workdir, topology, progress=progress)
    return _result(show, began=began, trouble=trouble, health=health)


def _result(show: Show, *, began: float, trouble: str, health: Health) -> DrillResult:
    seconds = time.monotonic() - began
    moments = tuple(show.moments())
    findings = () if trouble else judge(show.drill, moments, subjects=show.subjects)
    findings += _after(show.drill, seconds=seconds, health=health)
    verdict = Verdict.WORSE if trouble else verdict_of(findings)
    return DrillResult(
        drill=show.drill,
        verdict=verdict,
        seconds=seconds,
        reason=trouble,
        began=time.time() - seconds,
        hit=tuple(dict.fromkeys(s.name for spots in show.places.values() for s in spots)),
        findings=findings,
        moments=moments,
        people=tuple((who, name) for who, name, _ in show.cast),
        healthy_after=health.after,
        repaired=health.repaired,
        left=health.left,
        patience=patience(),
        stand_ins=probe(show.stage.workdir, show.stage.topology.jms).stand_ins,
    )


def _after(drill: Drill, *, seconds: float, health: Health) -> tuple[Finding, ...]:
    """What is asked of every drill: a healthy lab, in time."""
    last = len(drill.acts) - 1
    found = []
    if health.after is None:
        says = "the lab is healthy afterwards"
        found.append(Finding(last, says, Verdict.WORSE, health.left))
    if seconds > scaled(drill.budget):
        says = f"it takes {scaled(drill.budget):.0f} s at most"
        found.append(Finding(last, says, Verdict.WORSE, f"it took {seconds:.0f} s"))
    return tuple(found)
