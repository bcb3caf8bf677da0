"""One side of the gate: a set of packages in a lab of its own, brought up as often as asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from labctl.core.errors import LabError, PackageError
from labctl.core.progress import Progress
from labctl.gate.blame import find_trouble
from labctl.gate.exam import copy_logs, examine, examine_again, used_by_nodes
from labctl.gate.job import Found, Phase, SideJob
from labctl.gate.load import measure_load, take_sample
from labctl.gate.measures import Load, Up
from labctl.gate.model import Side, Trouble
from labctl.gate.usage import Started, ask_usage, sum_units, time_starts
from labctl.images.make import CACHE
from labctl.images.packages import PackageOrigin, resolve
from labctl.images.standins import VERSION_PREFIX
from labctl.lab.current import current_lab, make_current
from labctl.lab.remove import tear_down
from labctl.lab.up import Brought, bring_up
from labctl.ready import probe_all
from labctl.ready.wait import wait_signals
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.workdir import Workdir
from provision.problem import ProvisionError

AFTER_MACHINES = ("provision", "ready")
"""Phases in which a failure may be the packages' fault."""

STARTS = 3
"""Times that a package's program is started again in each run; their median is the run's."""

READY_AGAIN_SECONDS = 60.0


@dataclass(slots=True)
class SideLab:
    """The lab of a side and its results.

    Failures are values here: `trouble`."""

    job: SideJob
    found: Found
    phase: Phase
    checked: bool = field(default=False)

    @property
    def workdir(self) -> Workdir:
        return Workdir.of(self.job.spec.lab)

    @property
    def trouble(self) -> Trouble | None:
        return self.found.side.trouble

    def run(self, *, exam: bool) -> None:
        """Bring the lab up, time its programs, look at it and take its machines down again.

        With `exam` everything is looked at that was not yet, else what failed on a busy machine.
        A lab that does not come up on a busy machine is tried once more.
        """
        if not self._try(exam=exam, last=False):
            self._try(exam=exam, last=True)

    def _try(self, *, exam: bool, last: bool) -> bool:
        """One attempt; False where another one is worth its time."""
        self.phase.begin()
        try:
            self._check()
            self._run(exam=exam)
        except LabError as error:
            if self.job.beside.stopped:
                raise
            # The other side has nobody to wait for, whether this one is tried again or not.
            self.job.beside.alone()
            trouble = self._trouble(error)
            busy = trouble.phase in AFTER_MACHINES and self._busy()
            if not last and busy:
                self.found.add(repeated=(*self.found.side.repeated, trouble.message))
                self._down()
                return False
            # What names no package says nothing of packages on a machine that was busy.
            excused = busy and trouble.package is None
            self.found.add(trouble=replace(trouble, packages=trouble.packages and not excused))
            return True
        # The other side may still be measuring.
        self.job.beside.meet()
        self._down()
        return True

    def _check(self) -> None:
        if not self.checked:
            self.phase.now = "packages"
            check_packages(self.job, progress=self.phase)
            self.checked = True

    def _run(self, *, exam: bool) -> None:
        number = self.found.runs + 1
        name = "" if self.phase.name else f"{self.job.label}: "
        self.phase("gate", f"{name}run {number}")
        brought = bring_up(
            self.job.spec, {}, workdir=self.workdir, progress=self.phase, refresh=False
        )
        self.job.beside.labs[self.job.label] = brought.lab
        self.job.beside.meet()
        # More than that: this run was interrupted when it had its figures.
        if len(self.found.side.ups) < number:
            up = self._measure(brought)
            self.found.add(
                packages={name: item.version for name, item in brought.packages.items()},
                stand_ins=_stand_ins(brought.lab),
                # How slow its machines are; what else this machine does is measured with each run.
                patience=self.workdir.load_patience().factor,
                ups=(*self.found.side.ups, up),
            )
        else:
            self.job.beside.meet()
        look = examine if exam else examine_again
        look(self.job, self.found, brought.lab, progress=self.phase)

    def _measure(self, brought: Brought) -> Up:
        """What this run took and used; the lab is ready again afterwards."""
        lab = brought.lab
        self.phase("ready", "timing the starts of the packages' programs")
        cpu = sum_units(ask_usage(lab))
        starts = time_starts(lab, times=STARTS)
        wait_signals(lab, seconds=READY_AGAIN_SECONDS, progress=self.phase)
        self.job.beside.meet()
        nodes = list(used_by_nodes(self.job, lab).values())
        load = measure_load(self.phase.before, take_sample(), nodes=nodes)
        self.phase("gate", f"others used {load.lost:.0%} of the processors")
        return make_up(dict(brought.timings.seconds), starts, cpu=cpu, load=load)

    def _trouble(self, error: LabError) -> Trouble:
        if self.phase.now in (*AFTER_MACHINES, "logs") and not isinstance(error, PackageError):
            at = "provision" if isinstance(error, ProvisionError) else "ready"
            trouble = find_trouble(Lab.load(self.workdir), phase=at, error=error)
            if error.log is not None:
                copy_logs(error.log, self.job.folder / "nodes")
            hint = _way_in(self.job) if self.job.keep else trouble.hint
            return replace(trouble, hint=hint)
        return _trouble(error, self.phase.now)

    def _busy(self) -> bool:
        """Whether others were busy while this lab did not come up."""
        nodes = used_by_nodes(self.job, Lab.load(self.workdir))
        load = measure_load(self.phase.before, take_sample(), nodes=list(nodes.values()))
        return load.disturbed

    def _down(self) -> None:
        """Take the machines away: labs that take turns have the same addresses.  Its secrets are
        kept, so that every run is the same."""
        tear_down(self.workdir, progress=self.phase, forget=False)


def make_up(
    seconds: dict[str, float], starts: Sequence[Started], *, cpu: dict[str, float], load: Load
) -> Up:
    """The figures of one run."""
    names = dict.fromkeys(each.name for each in starts)
    walls = {n: tuple(s.seconds for s in starts if s.name == n) for n in names}
    used = {n: tuple(s.cpu for s in starts if s.name == n and s.cpu is not None) for n in names}
    return Up(seconds, walls, {n: each for n, each in used.items() if each}, cpu, load)


@contextmanager
def side_lab(job: SideJob, *, progress: Progress, found: Found | None = None) -> Iterator[SideLab]:
    """The lab of a side, which is not there before and afterwards is gone again.

    That is so whatever happens (Ctrl-C too), unless the packages failed and the lab is to be
    kept.  `found` is what an interrupted gate already knows of this side.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    name = job.label if job.beside.parties > 1 else ""
    phase = Phase(progress, wait=job.beside.meet, name=name)
    lab = SideLab(job, found or Found(Side(job.label, job.source)), phase)
    current = current_lab()
    with locked(lab.workdir, what="gate"):
        try:
            tear_down(lab.workdir, progress=phase, forget=True)
            yield lab
        finally:
            trouble = lab.trouble
            if not (job.keep and trouble is not None and trouble.packages):
                tear_down(lab.workdir, progress=phase, forget=True)
            _give_back(current)


def _trouble(error: LabError, phase: str) -> Trouble:
    at_fault = isinstance(error, PackageError)
    package = error.package if isinstance(error, PackageError) else None
    hint = " ".join(filter(None, [error.hint, f"Log: {error.log}" if error.log else None]))
    return Trouble(phase, error.message, packages=at_fault, package=package, hint=hint or None)


def _stand_ins(lab: Lab) -> tuple[str, ...]:
    """What the nodes themselves say to be stand-ins, wherever the files came from."""
    states = probe_all(lab, lab.topology.nodes)
    return tuple(sorted({name for state in states.values() for name in state.stand_ins}))


def check_packages(job: SideJob, *, progress: Progress) -> None:
    """Check the packages before anything is built; repositories are asked again, unless that was
    done to identify the packages.

    Errors: PackageError if they are at fault, LabError for stand-ins that are not allowed."""
    found = resolve(job.spec.packages, cache=CACHE, force=not job.identity, progress=progress)
    if job.stand_ins:
        return
    names = [
        item.name
        for item in found.packages
        # Files of stand-ins may be handed in as if they were candidates.
        if item.origin is PackageOrigin.STAND_INS or (item.version or "").startswith(VERSION_PREFIX)
    ]
    if names:
        raise StandInsError(
            f"The {job.label} has stand-ins, which prove nothing about Jitsi's software:"
            f" {', '.join(names)}.",
            hint="Use '--allow-stand-ins' to try them anyway; the verdict then says so.",
        )


class StandInsError(LabError):
    """Stand-ins were given although real packages are wanted."""


def _way_in(job: SideJob) -> str:
    lab = job.spec.lab
    return (
        f"'labctl ssh jms --lab {lab}' looks around in the lab that was kept,"
        f" 'labctl destroy --lab {lab}' removes it, as does the next gate."
    )


def _give_back(lab: str) -> None:
    """Keep the lab current that was current before."""
    workdir = Workdir.of(lab)
    if workdir.exists():
        make_current(workdir)
