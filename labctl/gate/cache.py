"""Results of baselines, kept for a day: the same packages need not be tried again and again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, load_state, save_state
from labctl.gate.identity import job_key
from labctl.gate.job import Found, SideJob
from labctl.gate.model import Side
from labctl.gate.session import DAY, GATES

BASELINES = GATES / "baselines"


@dataclass(frozen=True, slots=True)
class KeptBaseline:
    """A baseline's result, and when it was measured (seconds since 1970)."""

    at: float
    side: Side


KEPT: StateKind[KeptBaseline] = StateKind(format=1, parse=partial(from_plain, KeptBaseline))


def find_baseline(job: SideJob) -> Found | None:
    """What this baseline came to on this machine within the last day; None if it is not known."""
    file = _file_of(job)
    if not job.identity or not file.is_file():
        return None
    try:
        kept = load_state(file, KEPT)
    except LabError:
        # It is measured again and then written anew.
        return None
    if not 0 <= time.time() - kept.at <= DAY:
        return None
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.at))
    side = replace(kept.side, label=job.label, source=job.source, cached=when)
    return Found(side, dict(side.not_tried), runs=len(side.ups))


def keep_baseline(job: SideJob, side: Side) -> None:
    """Keep a baseline that was tried to the end; results that are too old are removed."""
    if not job.identity or side.trouble is not None or side.tests is None or side.cached:
        return
    kept = KeptBaseline(time.time(), side)
    save_state(_file_of(job), KEPT, to_plain(kept))
    for file in BASELINES.glob("*.json"):
        if time.time() - file.stat().st_mtime > DAY:
            file.unlink(missing_ok=True)


def _file_of(job: SideJob) -> Path:
    return BASELINES / f"{job_key(job)}.json"
