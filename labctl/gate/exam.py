"""What is tested in a side's running lab: the suite, logs, drift, drills."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.gate import parts
from labctl.gate.contents import PackageContents, read_contents
from labctl.gate.e2e import run_e2e
from labctl.gate.job import Found, SideJob
from labctl.gate.load import Sample, measure_load, take_sample
from labctl.gate.logs import parse_logs
from labctl.gate.measures import Load
from labctl.gate.media import measure_media, with_drills
from labctl.gate.model import CaseOutcome, GateCase
from labctl.gate.resources import sampled
from labctl.gate.soak import run_soak
from labctl.gate.usage import ask_usage
from labctl.images.make import CACHE
from labctl.images.packages import resolve
from labctl.lab.collect import collect_logs
from labctl.topology.lab import Lab

T = TypeVar("T")

MOST_AGAIN = 20
"""The most tests that are tried again in a new lab; more failures than that are no accident."""


def examine(job: SideJob, found: Found, lab: Lab, *, progress: Progress) -> None:
    """Run everything that was asked for, and measure what others used meanwhile.

    What an interrupted gate has done is not done again; the tests and what nodes logged in them
    belong together."""
    before, used = take_sample(), used_by_nodes(job, lab)
    found.add(contents=_optional(found, "contents", lambda: _contents(job, lab)))
    if found.wants("logs"):
        progress("verify", "running the acceptance tests")
        with sampled(lab) as samples:
            found.add(tests=parts.run_suite(lab, folder=job.folder, quick=job.quick))
        progress("logs", "reading the logs of all nodes")
        kept = _keep_logs(job, lab, progress=progress)
        found.add(
            resources=tuple(samples),
            logs=parse_logs(kept, installed=found.side.packages),
            load=_load(job, before, used, lab),
        )
    found.add(drift=_optional(found, "drift", lambda: parts.run_drift(lab, folder=job.folder)))
    contract = partial(parts.run_contract, lab, folder=job.folder, progress=progress)
    found.add(contract=_optional(found, "contract", contract))
    found.add(media=_optional(found, "media", lambda: measure_media(lab)))
    examine_end_to_end(job, found, lab, progress=progress)
    if job.soak:
        soak = partial(run_soak, lab, seconds=job.soak, progress=progress)
        found.add(soak=_optional(found, "soak", soak))
    _drill(job, found, lab, progress=progress)
    found.add(load=_most_lost(found.side.load, _load(job, before, used, lab)))


def _most_lost(one: Load | None, other: Load) -> Load:
    """Of two measurements of one examination, the one on the busier machine."""
    return other if one is None or other.lost > one.lost else one


def _contents(job: SideJob, lab: Lab) -> Mapping[str, PackageContents]:
    given = resolve(job.spec.packages, cache=CACHE)
    items = (*given.packages, *given.extras)
    debs = (item.deb for item in items if item.deb is not None)
    return read_contents(lab, [*debs, *given.others])


def examine_end_to_end(job: SideJob, found: Found, lab: Lab, *, progress: Progress) -> None:
    """Run the end-to-end suite, if one was asked for; if it cannot be run, the result says so."""
    if job.e2e is not None:
        work = partial(run_e2e, lab, job.e2e, folder=job.folder, progress=progress)
        found.add(e2e=_optional(found, "e2e", work))


def _drill(job: SideJob, found: Found, lab: Lab, *, progress: Progress) -> None:
    if not job.drills:
        found.not_tried["drills"] = "not asked for"
    elif found.wants("drills"):
        progress("drill", f"running drills: {', '.join(job.drills)}")
        drills = parts.run_drills(
            lab, job.drills, folder=job.folder, progress=progress, resumed=job.resumed
        )
        found.add(drills=drills)
        if found.side.media is not None:
            found.add(media=with_drills(found.side.media, job.folder / "drills.json"))


def examine_again(job: SideJob, found: Found, lab: Lab, *, progress: Progress) -> None:
    """In a new lab, retry once what failed while the machine was busy."""
    side = found.side
    if side.load is None or not side.load.disturbed:
        return
    failed = [names_of_failed(cases) for cases in (side.tests, side.drills)]
    tests, drills = ([] if len(names) > MOST_AGAIN else names for names in failed)
    if tests:
        progress("verify", f"trying {len(tests)} tests again, the machine was busy")
        cases = parts.retry_suite(lab, side.tests or (), folder=job.folder)
        found.add(tests=cases)
    if drills:
        progress("drill", f"trying again because the machine was busy: {', '.join(drills)}")
        again = parts.run_drills(lab, drills, folder=job.folder, progress=progress)
        found.add(drills=parts.merge_retry(side.drills or (), again))


def names_of_failed(cases: Sequence[GateCase] | None) -> list[str]:
    """The names of the tests or drills that failed."""
    return [case.name for case in cases or () if case.outcome is CaseOutcome.FAILED]


def used_by_nodes(job: SideJob, lab: Lab) -> dict[str, float | None]:
    """CPU seconds of each node, those of a lab beside this one included; None if unknown."""
    labs = (lab, *job.beside.others(job.label))
    return {
        f"{each.topology.lab}/{name}": usage.node
        for each in labs
        for name, usage in ask_usage(each).items()
    }


def _load(job: SideJob, before: Sample, used: Mapping[str, float | None], lab: Lab) -> Load:
    """What others used since `before`, when the nodes had used as much as `used`."""
    nodes = [
        None if now is None or (then := used.get(name)) is None else now - then
        for name, now in used_by_nodes(job, lab).items()
    ]
    return measure_load(before, take_sample(), nodes=nodes)


def _optional(found: Found, part: str, work: Callable[[], T]) -> T | None:
    """A part whose failure does not prevent a verdict: the result says that it is missing.

    One that an interrupted gate has tried is not tried again."""
    if not found.wants(part):
        done: T | None = getattr(found.side, part)
        return done
    try:
        return work()
    except LabError as error:
        found.not_tried[part] = error.message.partition("\n")[0]
        return None


def _keep_logs(job: SideJob, lab: Lab, *, progress: Progress) -> Mapping[str, str]:
    folder = collect_logs(lab, progress=progress)
    kept = copy_logs(folder, job.folder / "nodes")
    return {path.stem: path.read_text(encoding="utf-8") for path in kept}


def copy_logs(folder: Path, target: Path) -> Sequence[Path]:
    """Keep the nodes' logs with the report, because the lab will be removed."""
    if not folder.is_dir():
        return ()
    shutil.copytree(folder, target, dirs_exist_ok=True)
    return sorted(target.glob("*.log"))
