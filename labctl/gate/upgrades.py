"""The candidate is put over the baseline, as most people get new packages.

Three labs, one after another: packages with their own configuration on a bare machine; a lab of
labctl's, node by node; and another one, all nodes at once and back again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.gate import parts
from labctl.gate.job import Found, SideJob
from labctl.gate.load import measure_load, take_sample
from labctl.gate.model import GateCase, PlayedScenario
from labctl.gate.symptoms import UPGRADE
from labctl.gate.tried import open_larder
from labctl.images.make import CACHE
from labctl.images.packages import MAIN_PACKAGES, META, resolve
from labctl.lab.remove import tear_down
from labctl.lab.up import bring_up
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.workdir import Workdir
from labctl.upgrade.call import open_call
from labctl.upgrade.larder import Larder
from labctl.upgrade.machine import bare_machine, machine_spec
from labctl.upgrade.model import Action, Scenario
from labctl.upgrade.own import upgrade_own
from labctl.upgrade.rolling import Rollout
from labctl.upgrade.works import TURN_PACKAGE

LAB = "gate-upgrade"


def try_upgrades(
    baseline: SideJob, candidate: SideJob, found: Found, *, progress: Progress
) -> None:
    """Play every upgrade; what goes wrong in one is a result, and the next one is played too.

    An error of this machine is said as the reason why one was not tried.
    """
    trials: list[PlayedScenario] = []
    reasons: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="labctl-larder-", dir=CACHE) as scratch:
            old, new = (
                open_larder(job, resolve(job.spec.packages, cache=CACHE), folder=folder)
                for job, folder in (
                    (baseline, Path(scratch, "old")),
                    (candidate, Path(scratch, "new")),
                )
            )
            for play in (_own, _node_by_node, _at_once):
                try:
                    trials += play(baseline, candidate, old, new, progress)
                except LabError as error:
                    reasons.append(error.message.partition("\n")[0])
    except LabError as error:
        reasons.append(error.message.partition("\n")[0])
    if reasons:
        found.not_tried[UPGRADE] = " ".join(dict.fromkeys(reasons))
    found.add(upgrades=tuple(trials) if trials else None)


def own_names(old: Larder, new: Larder) -> tuple[str, ...]:
    """What is upgraded with its own configuration: what both sets have, as people install it."""
    both = set(old.names()) & set(new.names())
    first = (META,) if META in both else MAIN_PACKAGES
    return (*first, TURN_PACKAGE) if TURN_PACKAGE in both else first


def _own(
    baseline: SideJob, candidate: SideJob, old: Larder, new: Larder, progress: Progress
) -> list[PlayedScenario]:
    spec = machine_spec(baseline.spec, lab=f"{LAB}-bare")
    load = measure_load(take_sample(), take_sample(), nodes=())
    with bare_machine(spec, progress=progress) as machine:
        scenario = upgrade_own(machine, old, new, own_names(old, new), progress=progress)
    return [PlayedScenario(scenario, load=load)]


def _node_by_node(
    baseline: SideJob, candidate: SideJob, old: Larder, new: Larder, progress: Progress
) -> list[PlayedScenario]:
    load = measure_load(take_sample(), take_sample(), nodes=())
    with _lab_of(baseline, progress=progress) as lab:
        with open_call(lab) as call:
            scenario = Rollout(lab, new, call, progress).node_by_node()
        return [PlayedScenario(scenario, _suite(lab, candidate, scenario, progress=progress), load)]


def _at_once(
    baseline: SideJob, candidate: SideJob, old: Larder, new: Larder, progress: Progress
) -> list[PlayedScenario]:
    load = measure_load(take_sample(), take_sample(), nodes=())
    with _lab_of(baseline, progress=progress) as lab:
        with open_call(lab) as call:
            scenario = Rollout(lab, new, call, progress).at_once()
        trials = [
            PlayedScenario(scenario, _suite(lab, candidate, scenario, progress=progress), load)
        ]
        if scenario.ended is None:
            with open_call(lab) as call:
                back = Rollout(lab, old, call, progress, Action.DOWNGRADE).at_once()
            trials.append(PlayedScenario(back, load=load))
        return trials


@contextmanager
def _lab_of(job: SideJob, *, progress: Progress) -> Iterator[Lab]:
    """A lab of the baseline that is media-ready, removed afterwards.  Errors: LabError."""
    spec = replace(job.spec, lab=LAB)
    workdir = Workdir.of(LAB)
    with locked(workdir, what="gate"):
        tear_down(workdir, progress=progress, forget=True)
        try:
            yield bring_up(spec, {}, workdir=workdir, progress=progress, refresh=False).lab
        finally:
            tear_down(workdir, progress=progress, forget=True)


def _suite(
    lab: Lab, job: SideJob, scenario: Scenario, *, progress: Progress
) -> tuple[GateCase, ...] | None:
    """The acceptance tests that do not disturb a lab; None where the upgrade did not end well."""
    if scenario.ended is not None:
        return None
    progress("verify", f"running the acceptance tests after '{scenario.name}'")
    folder = job.folder / scenario.name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    return parts.run_suite(lab, folder=folder, quick=True)
