"""The gate as a whole: the sides one after the other, the verdict, the files of the report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.gate.compare import judge
from labctl.gate.junit import render_junit
from labctl.gate.model import Gate, Side
from labctl.gate.page import render_page
from labctl.gate.report import render_text
from labctl.gate.side import SideJob, try_side
from labctl.progress import Progress
from labctl.spec import load_spec
from labctl.workdir import write_file, write_json

SIDES = ("baseline", "candidate")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the gate is asked: the sources, how thoroughly, and where its report goes.

    `flags` are keys of lab.conf that shape the labs; `config` is a lab.conf or None.
    """

    candidate: str
    folder: Path
    baseline: str | None = None
    runs: int = 1
    quick: bool = False
    drills: tuple[str, ...] = ()
    stand_ins: bool = False
    strict: bool = False
    keep: bool = False
    config: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)


def plan_sides(plan: Plan) -> list[SideJob]:
    """The jobs, the baseline first.  Errors: SpecError with every problem of both sources."""
    sources = {"baseline": plan.baseline, "candidate": plan.candidate}
    jobs = []
    for label in SIDES:
        source = sources[label]
        if source is None:
            continue
        flags = {**plan.flags, "lab": f"gate-{label}", "packages": source}
        spec, _ = load_spec(plan.config, flags)
        jobs.append(
            SideJob(
                label,
                source,
                spec,
                plan.folder / label,
                runs=plan.runs,
                quick=plan.quick,
                drills=plan.drills,
                stand_ins=plan.stand_ins,
                keep=plan.keep,
            )
        )
    return jobs


def run_gate(plan: Plan, *, progress: Progress) -> Gate:
    """Try the sides, judge, and write the report's files (`save_report`) to its folder.

    When the baseline does not get to its end the candidate is not tried: there is nothing to
    hold it against.
    """
    began = time.monotonic()
    sides: dict[str, Side] = {}
    for job in plan_sides(plan):
        sides[job.label] = try_side(job, progress=progress)
        if sides[job.label].trouble is not None:
            break
    candidate = sides.get("candidate") or Side(
        "candidate", plan.candidate, not_tried={"all": "the baseline did not get to its end"}
    )
    seconds = time.monotonic() - began
    gate = judge(candidate, sides.get("baseline"), strict=plan.strict, seconds=seconds)
    save_report(gate, plan.folder)
    return gate


def save_report(gate: Gate, folder: Path) -> None:
    """Write the report's files; other programs start from gate.json."""
    write_json(folder / "gate.json", gate.to_json())
    write_file(folder / "junit.xml", render_junit(gate))
    write_file(folder / "gate.html", render_page(gate))
    write_file(folder / "gate.txt", render_text(gate, folder=folder) + "\n")
