"""The gate as a whole: the sides in turn or side by side, the verdict, the files of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from labctl.core.files import write_file, write_json
from labctl.core.progress import NOTICE, Progress
from labctl.gate.beside import Beside, read_room, second_network, why_not_beside
from labctl.gate.cache import find_baseline, keep_baseline
from labctl.gate.certainty import TimingVerdict
from labctl.gate.compare import compare_sides, judge_gate
from labctl.gate.github import render_summary
from labctl.gate.identity import identify
from labctl.gate.job import Found, SideJob
from labctl.gate.junit import render_junit
from labctl.gate.model import Gate
from labctl.gate.page import render_page
from labctl.gate.pairing import Turn, try_in_turn, try_pairs
from labctl.gate.report import render_text
from labctl.gate.session import Session, open_session
from labctl.gate.side import side_lab
from labctl.gate.symptoms import UPGRADE
from labctl.gate.tried import try_set
from labctl.gate.upgrades import try_upgrades
from labctl.lab.network import check_machine, want_free
from labctl.spec import load_spec
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.workdir import Workdir

SIDES = ("baseline", "candidate")
SUSPECT = (TimingVerdict.SLOWER, TimingVerdict.UNCLEAR)
"""What is not said of runs that were measured at different times."""


@dataclass(frozen=True, slots=True)
class GatePlan:
    """What the gate is asked: which sources, how thoroughly, and where the report goes.

    `flags` are keys of lab.conf that shape the labs; `config` is a lab.conf or None.  Without a
    `folder` the report goes to one of labctl's own.  `side_by_side` None lets the machine decide;
    `fresh` ignores what earlier gates have found.
    """

    candidate: str
    folder: Path | None = None
    baseline: str | None = None
    runs: int = 1
    quick: bool = False
    drills: tuple[str, ...] = ()
    e2e: Path | None = None
    stand_ins: bool = False
    strict: bool = False
    keep: bool = False
    soak: float = 0.0
    config: Path | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    side_by_side: bool | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class GateRun:
    """A gate that has its verdict, and the folder of its report."""

    gate: Gate
    folder: Path


def plan_sides(plan: GatePlan) -> list[SideJob]:
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
                (plan.folder or Path()) / label,
                runs=plan.runs,
                quick=plan.quick,
                drills=plan.drills,
                e2e=plan.e2e,
                stand_ins=plan.stand_ins,
                keep=plan.keep,
                soak=plan.soak,
            )
        )
    return jobs


def run_gate(plan: GatePlan, *, progress: Progress) -> GateRun:
    """Try the sides, judge, and write the report's files (`save_report`) to its folder.

    A gate that was interrupted continues where it was.  If one side does not finish, the other is
    not tried any further, because there is nothing to compare it with."""
    jobs = [
        replace(job, identity=identify(job.spec, progress=progress)) for job in plan_sides(plan)
    ]
    session = open_session(jobs, plan.folder, fresh=plan.fresh, progress=progress)
    jobs = [
        replace(job, folder=session.folder / job.label, resumed=session.resumed) for job in jobs
    ]
    jobs = place_sides(plan, jobs, progress=progress)
    try_sides(plan, jobs, session, progress=progress)
    try_packages_of(jobs, session, quick=plan.quick, progress=progress)
    sides = {job.label: session.found[job.label].done() for job in jobs}
    candidate, baseline = sides["candidate"], sides.get("baseline")
    if baseline is not None:
        keep_baseline(jobs[0], baseline)
        if baseline.trouble is not None and not candidate.ups:
            reason = {"all": "the baseline did not finish"}
            candidate = replace(candidate, not_tried=reason)
    gate = judge_gate(candidate, baseline, strict=plan.strict, seconds=session.seconds)
    save_report(gate, session.folder)
    session.close()
    return GateRun(gate, session.folder)


def try_packages_of(
    jobs: Sequence[SideJob], session: Session, *, quick: bool, progress: Progress
) -> None:
    """What needs labs of other kinds: every package of the candidate, and upgrades to it.

    After a side that did not finish there is nothing to be said of either."""
    if any(each.side.trouble is not None for each in session.found.values()):
        return
    *before, candidate = jobs
    found = session.found[candidate.label]
    if found.wants("tried"):
        try_set(candidate, found, progress=progress)
    if quick:
        found.not_tried[UPGRADE] = "'--quick' omits it"
    elif not before:
        found.not_tried[UPGRADE] = "there is no baseline"
    elif found.wants("upgrades"):
        try_upgrades(before[0], candidate, found, progress=progress)


class OpenLab(Protocol):
    """Makes the lab of a side, for which `found` is what is known of it."""

    def __call__(
        self, job: SideJob, *, progress: Progress, found: Found
    ) -> AbstractContextManager[Turn]: ...


def try_sides(
    plan: GatePlan,
    jobs: Sequence[SideJob],
    session: Session,
    *,
    progress: Progress,
    open_lab: OpenLab = side_lab,
) -> None:
    """Try each side as often as its figures need; everything found is kept in the session."""
    found = {job.label: session.find(job).side for job in jobs}
    with ExitStack() as stack:
        labs: dict[str, Turn] = {}

        def lab_of(job: SideJob) -> Turn:
            if job.label not in labs:
                made = open_lab(job, progress=progress, found=session.found[job.label])
                labs[job.label] = stack.enter_context(made)
            return labs[job.label]

        if len(jobs) == 1:
            try_in_turn([lab_of(jobs[0])], runs=plan.runs)
            return
        baseline, candidate = jobs
        begun = found["baseline"].ups or found["baseline"].cached
        kept = None if plan.fresh or begun else find_baseline(baseline)
        if kept is not None:
            session.adopt("baseline", kept)
        when = session.found["baseline"].side.cached
        if when and not session.state.paired:
            progress("gate", f"the baseline was measured at {when} ('--fresh' measures it again)")
            candidate.beside.alone()
            if not _suspect_alone(lab_of(candidate), session, runs=plan.runs):
                return
            progress("gate", "something looks slower: now both sides are measured again")
            session.pair()
        together = candidate.beside if candidate.beside is baseline.beside else None
        try_pairs([lab_of(baseline), lab_of(candidate)], runs=plan.runs, beside=together)


def _suspect_alone(lab: Turn, session: Session, *, runs: int) -> bool:
    """Try the candidate beside figures of another time; whether these give a reason to measure
    both sides."""
    try_in_turn([lab], runs=runs)
    if lab.trouble is not None:
        return False
    timings = compare_sides(lab.found.side, session.found["baseline"].side)
    return any(timing.verdict in SUSPECT for timing in timings)


def place_sides(plan: GatePlan, jobs: Sequence[SideJob], *, progress: Progress) -> list[SideJob]:
    """The jobs where their labs will be: in one network in turn, or in two at the same time."""
    jobs = settle_jobs(jobs, progress=progress)
    if len(jobs) < 2 or plan.side_by_side is False:
        return list(jobs)
    reason = why_not_beside([job.spec for job in jobs], read_room())
    if plan.side_by_side is None and reason is not None:
        progress("gate", f"one side after the other: {reason}")
        return list(jobs)
    if reason is not None:
        progress(NOTICE, f"Side by side, as asked, although {reason}: expect disturbed runs.")
    baseline, candidate = jobs
    network = second_network(baseline.spec.network)
    progress("gate", f"side by side, in {baseline.spec.network} and {network}")
    beside = Beside(parties=2)
    spec = replace(candidate.spec, network=network)
    return [replace(baseline, beside=beside), replace(candidate, beside=beside, spec=spec)]


def settle_jobs(jobs: Sequence[SideJob], *, progress: Progress) -> list[SideJob]:
    """The jobs with a definite network instead of 'auto', the same for all.

    Errors: LabError if none is free."""
    spec = jobs[-1].spec
    if spec.network != AUTO_NETWORK:
        return list(jobs)
    workdir = Workdir.of(spec.lab)
    network = want_free(spec, workdir=workdir, check=partial(check_machine, workdir=workdir))
    progress("gate", f"network {network} is the next that is free")
    return [replace(job, spec=replace(job.spec, network=network)) for job in jobs]


def save_report(gate: Gate, folder: Path) -> None:
    """Write the report's files; other programs start from gate.json."""
    write_json(folder / "gate.json", gate.to_json())
    write_file(folder / "junit.xml", render_junit(gate, folder=folder))
    write_file(folder / "gate.html", render_page(gate))
    write_file(folder / "summary.md", render_summary(gate))
    write_file(folder / "gate.txt", render_text(gate, folder=folder) + "\n")
