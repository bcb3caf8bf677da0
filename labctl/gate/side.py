"""One side of the gate: a set of packages tried in a lab of its own, which is gone afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from labctl.errors import LabError, PackageError
from labctl.gate import parts
from labctl.gate.blame import find_trouble
from labctl.gate.logs import parse_logs
from labctl.gate.model import Side, Trouble
from labctl.images import CACHE
from labctl.lab.collect import collect_logs
from labctl.lab.current import current_lab, forget_current, make_current
from labctl.lab.up import Brought, bring_up, tear_down
from labctl.model import Spec
from labctl.packages import Origin, resolve
from labctl.progress import Progress
from labctl.provisioner import ProvisionError
from labctl.ready import probe_all
from labctl.standins import VERSION_PREFIX
from labctl.workdir import Workdir, locked

T = TypeVar("T")

AFTER_MACHINES = ("provision", "ready")
"""Phases in which what fails may be the packages' fault."""


@dataclass(frozen=True, slots=True)
class SideJob:
    """What is to be tried, and how thoroughly.

    `drills` are names for `labctl drill run`; none are run where it is empty.  With `keep` a
    lab whose packages failed stays for a look inside.
    """

    label: str
    source: str
    spec: Spec
    folder: Path
    runs: int = 1
    quick: bool = False
    drills: tuple[str, ...] = ()
    stand_ins: bool = False
    keep: bool = False


@dataclass(slots=True)
class Phase:
    """A Progress that knows in which phase the work is."""

    progress: Progress
    now: str = "packages"

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        self.now = phase
        self.progress(phase, message, node=node)


@dataclass(slots=True)
class Found:
    """What is known of a side so far."""

    side: Side
    not_tried: dict[str, str] = field(default_factory=dict)

    def add(self, **values: Any) -> None:
        self.side = replace(self.side, **values)

    def done(self) -> Side:
        return replace(self.side, not_tried=dict(self.not_tried))


def try_side(job: SideJob, *, progress: Progress) -> Side:
    """Build, bring up, verify, drill, look at drift and logs, tear down.

    Whatever happens (Ctrl-C too) the lab is gone afterwards, unless it is to be kept; what came
    of it is in `job.folder`.
    Failures are values in here: `Side.trouble`.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    found, phase = Found(Side(job.label, job.source)), Phase(progress)
    try:
        _check_packages(job)
        with _own_lab(job, found, progress=phase) as workdir:
            _try(job, found, workdir=workdir, phase=phase)
    except LabError as error:
        if found.side.trouble is None:
            found.add(trouble=_trouble(error, phase.now))
    return found.done()


def _try(job: SideJob, found: Found, *, workdir: Workdir, phase: Phase) -> None:
    for number in range(1, job.runs + 1):
        if number > 1:
            tear_down(workdir, progress=phase, forget=False)
        phase("gate", f"{job.label}: run {number} of {job.runs}")
        brought = _bring_up(job, found, workdir=workdir, phase=phase)
        found.add(
            packages={name: item.version for name, item in brought.packages.items()},
            stand_ins=_stand_ins(workdir),
            ups=(*found.side.ups, dict(brought.timings.seconds)),
        )
    phase("verify", "running the acceptance tests")
    found.add(tests=parts.run_suite(workdir, folder=job.folder, quick=job.quick))
    phase("logs", "reading the logs of all nodes")
    found.add(logs=parse_logs(_keep_logs(job, workdir, progress=phase)))
    if not parts.has_verb("drift"):
        found.not_tried["drift"] = "this labctl has no verb 'drift'"
    else:
        drift = _optional(found, "drift", lambda: parts.run_drift(workdir, folder=job.folder))
        found.add(drift=drift)
    if not job.drills:
        found.not_tried["drills"] = "not asked for"
    elif not parts.has_verb("drill"):
        found.not_tried["drills"] = "this labctl has no verb 'drill'"
    else:
        phase("drill", f"running drills: {', '.join(job.drills)}")
        found.add(drills=parts.run_drills(workdir, job.drills, folder=job.folder, progress=phase))


def _bring_up(job: SideJob, found: Found, *, workdir: Workdir, phase: Phase) -> Brought:
    try:
        return bring_up(job.spec, {}, workdir=workdir, progress=phase, refresh=False)
    except LabError as error:
        if phase.now in AFTER_MACHINES or phase.now == "logs":
            at = "provision" if isinstance(error, ProvisionError) else "ready"
            trouble = find_trouble(workdir, workdir.load_topology(), phase=at, error=error)
            found.add(trouble=replace(trouble, hint=_way_in(job) if job.keep else trouble.hint))
            if error.log is not None:
                _copy_logs(error.log, job.folder / "nodes")
        raise


def _trouble(error: LabError, phase: str) -> Trouble:
    at_fault = isinstance(error, PackageError)
    package = error.package if isinstance(error, PackageError) else None
    hint = " ".join(filter(None, [error.hint, f"Log: {error.log}" if error.log else None]))
    return Trouble(phase, error.message, packages=at_fault, package=package, hint=hint or None)


def _stand_ins(workdir: Workdir) -> tuple[str, ...]:
    """What the nodes themselves say to be stand-ins, wherever the files came from."""
    states = probe_all(workdir, workdir.load_topology().nodes)
    return tuple(sorted({name for state in states.values() for name in state.stand_ins}))


def _check_packages(job: SideJob) -> None:
    """Look at the packages before anything is built; repositories are asked anew.

    Errors: PackageError where they are at fault, LabError for stand-ins that are not allowed.
    """
    found = resolve(job.spec.packages, cache=CACHE, force=True)
    if job.stand_ins:
        return
    names = [
        item.name
        for item in found.packages
        # Files of stand-ins may be handed in as if they were candidates.
        if item.origin is Origin.STAND_INS or (item.version or "").startswith(VERSION_PREFIX)
    ]
    if names:
        raise StandInsError(
            f"The {job.label} has stand-ins, which say nothing about Jitsi's software:"
            f" {', '.join(names)}.",
            hint="'--allow-stand-ins' tries them all the same, and the verdict says so.",
        )


class StandInsError(LabError):
    """Stand-ins where real packages are wanted."""


def _optional(found: Found, part: str, work: Callable[[], T]) -> T | None:
    """A part whose own failure is no reason to judge nothing: it is said that it is missing."""
    try:
        return work()
    except LabError as error:
        found.not_tried[part] = error.message.partition("\n")[0]
        return None


def _keep_logs(job: SideJob, workdir: Workdir, *, progress: Progress) -> Mapping[str, str]:
    folder = collect_logs(workdir, workdir.load_topology(), progress=progress)
    kept = _copy_logs(folder, job.folder / "nodes")
    return {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in kept}


def _copy_logs(folder: Path, target: Path) -> Sequence[Path]:
    if not folder.is_dir():
        return ()
    shutil.copytree(folder, target, dirs_exist_ok=True)
    return sorted(target.glob("*.log"))


@contextmanager
def _own_lab(job: SideJob, found: Found, *, progress: Progress) -> Iterator[Workdir]:
    """The lab of a side, which is not there before and, unless it is kept, not there after."""
    workdir, current = Workdir.of(job.spec.lab), current_lab()
    with locked(workdir, what="gate"):
        try:
            _remove(workdir, progress=progress)
            yield workdir
        finally:
            trouble = found.side.trouble
            if not (job.keep and trouble is not None and trouble.packages):
                _remove(workdir, progress=progress)
            _give_back(current)


def _way_in(job: SideJob) -> str:
    lab = job.spec.lab
    return (
        f"'labctl ssh jms --lab {lab}' looks around in the lab that was kept,"
        f" 'labctl destroy --lab {lab}' removes it, as does the next gate."
    )


def _remove(workdir: Workdir, *, progress: Progress) -> None:
    if workdir.exists():
        tear_down(workdir, progress=progress, forget=True)
    else:
        shutil.rmtree(workdir.path, ignore_errors=True)
    forget_current(workdir)


def _give_back(lab: str) -> None:
    """The lab that was current before stays so."""
    workdir = Workdir.of(lab)
    if workdir.exists():
        make_current(workdir)
