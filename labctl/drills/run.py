"""Running a drill: place calls, make the fault, watch, undo, prove the lab healthy, judge."""

from __future__ import annotations

import time
from collections.abc import Mapping

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.drills.findings import DrillResult
from labctl.drills.heal import Health, heal
from labctl.drills.judge import judge_drill, verdict_of
from labctl.drills.model import Drill
from labctl.drills.needs import why_not
from labctl.drills.show import Show
from labctl.node.ssh import ensure_config
from labctl.ready import probe
from labctl.ready.probe import NodeState
from labctl.report.drill import DrillFinding, DrillVerdict
from labctl.topology.lab import Lab
from labctl.topology.versions import NEWEST, NEWEST_KNOWN, differ


def run_drill(drill: Drill, lab: Lab, *, progress: Progress) -> DrillResult:
    """Run one drill.  The caller holds the lab's lock and has undone what was left.

    Whatever happens, every fault is undone before this returns or raises.  A drill that could
    not be carried out is 'worse', with the reason.
    """
    if reason := why_not(drill, lab.topology):
        return DrillResult(drill, DrillVerdict.SKIPPED, 0.0, reason=reason)
    lab = lab.measured()  # the drills before may have taken minutes
    ensure_config(lab)
    began = time.monotonic()
    jms = probe(lab, lab.topology.jms)
    show = Show(drill, lab, progress, installed=_installed(jms))
    trouble, left = "", ""
    try:
        show.play()
    except LabError as error:
        trouble = error.message
    finally:
        left = show.close()
    health = Health(None, left=left) if left else heal(lab, progress=progress)
    return _result(show, jms, began=began, trouble=trouble, health=health)


def _installed(jms: NodeState) -> dict[str, str]:
    """Versions of the packages whose behaviour is judged; the JMS has one of each."""
    return {name: jms.versions[name] for name in NEWEST if name in jms.versions}


def _result(
    show: Show, jms: NodeState, *, began: float, trouble: str, health: Health
) -> DrillResult:
    seconds = time.monotonic() - began
    findings = () if trouble else _judge(show, show.installed)
    after = _after(show, seconds=seconds - (health.after or 0.0) - show.waited, health=health)
    verdict = DrillVerdict.WORSE if trouble else verdict_of((*findings, *after))
    newest = None
    if not trouble and differ(show.installed):
        newest = verdict_of((*_judge(show, NEWEST_KNOWN), *after))
    return DrillResult(
        drill=show.drill,
        verdict=verdict,
        seconds=seconds,
        reason=trouble,
        began=time.time() - seconds,
        hit=tuple(dict.fromkeys(s.name for spots in show.places.values() for s in spots)),
        findings=(*findings, *after),
        moments=tuple(show.moments()),
        hearing=show.hearing,
        watched=show.watched,
        people=tuple((who, name) for who, name, _ in show.cast),
        healthy_after=health.after,
        repaired=health.repaired,
        left=health.left,
        patience=show.lab.patience,
        stand_ins=jms.stand_ins,
        packages=tuple(show.installed.items()),
        newest=newest if newest is not verdict else None,
    )


def _judge(show: Show, installed: Mapping[str, str]) -> tuple[DrillFinding, ...]:
    return judge_drill(
        show.drill,
        show.moments(),
        subjects=show.subjects,
        patience=show.lab.patience,
        installed=installed,
    )


def _after(show: Show, *, seconds: float, health: Health) -> tuple[DrillFinding, ...]:
    """What is asked of every drill: a healthy lab, and to be over in time.

    `seconds` are without the way back to health and without the starts of bridges that were waited
    for.  What else this machine did meanwhile, as it was measured, makes the budget longer."""
    last = len(show.drill.acts) - 1
    found = []
    if health.after is None:
        says = "the lab is healthy afterwards"
        found.append(DrillFinding(last, says, DrillVerdict.WORSE, health.left))
    budget = budget_of(show.drill, show.lab, crowding=show.crowding)
    if seconds > budget:
        says = f"it takes {budget:.0f} s at most"
        found.append(DrillFinding(last, says, DrillVerdict.WORSE, f"it took {seconds:.0f} s"))
    return tuple(found)


def budget_of(drill: Drill, lab: Lab, *, crowding: float) -> float:
    """Seconds that a drill may take, with what was measured when it began or, if that was more,
    while it ran."""
    machines = lab.folder.load_patience().scaled(drill.budget)
    return max(lab.patience.scaled(drill.budget), machines * crowding)
