"""Every package of a set is installed, or named with the reason why it was not.

The lab's images hold five of Jitsi's packages.  The others are installed on bare machines, in each
combination that their dependencies allow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.gate.job import Found, SideJob
from labctl.gate.load import measure_load, take_sample
from labctl.gate.model import PlayedScenario, Side, TriedIn, TriedPackage
from labctl.gate.symptoms import PACKAGES
from labctl.images.debian import load_mirror, load_release
from labctl.images.make import CACHE
from labctl.images.packages import EXTRA_PACKAGES, MAIN_PACKAGES, META, PackageSet, resolve
from labctl.upgrade.larder import Larder
from labctl.upgrade.machine import bare_machine, machine_spec
from labctl.upgrade.model import InstallStep, Scenario, Symptom
from labctl.upgrade.own import try_packages

OPTIONAL = tuple(name for name in EXTRA_PACKAGES if name != META)
NOT_HELD = "the set does not have it"


def plan_installs(held: Collection[str], *, quick: bool) -> list[tuple[str, ...]]:
    """What to install on one fresh machine each, in one call of apt.

    The metapackage (without one, what it would depend on) alone and with each choice of the
    packages that upstream leaves to the user; with `quick`, all of them together only.
    """
    first = (META,) if META in held else MAIN_PACKAGES
    free = [name for name in OPTIONAL if name in held]
    sizes = [len(free)] if quick else range(len(free) + 1)
    return [(*first, *chosen) for size in sizes for chosen in combinations(free, size)]


def open_larder(job: SideJob, packages: PackageSet, *, folder: Path) -> Larder:
    """The files of a side's packages, and of what they depend on."""
    return Larder(packages, load_mirror(), load_release(job.spec.debian), folder)


def try_set(job: SideJob, found: Found, *, progress: Progress) -> None:
    """Install the set's packages on bare machines; a failure there is a result, not an error."""
    try:
        packages = resolve(job.spec.packages, cache=CACHE)
    except LabError as error:
        found.not_tried[PACKAGES] = error.message.partition("\n")[0]
        return
    trials: list[PlayedScenario] = []
    reason = ""
    try:
        with tempfile.TemporaryDirectory(prefix="labctl-larder-", dir=CACHE) as scratch:
            larder = open_larder(job, packages, folder=Path(scratch))
            for names in plan_installs(larder.names(), quick=job.quick):
                also = () if trials else [deb.name for deb in packages.others]
                trials.append(_try(job, larder, names, also=also, progress=progress))
    except LabError as error:
        reason = error.message.partition("\n")[0]
    found.add(installs=tuple(trials), tried=list_tried(packages, found.side, trials, why=reason))


def _try(
    job: SideJob,
    larder: Larder,
    names: Sequence[str],
    *,
    also: Sequence[str],
    progress: Progress,
) -> PlayedScenario:
    spec = machine_spec(job.spec, lab=f"{job.spec.lab}-bare")
    before = take_sample()
    # The machine is gone when the load could be measured: the load average from before counts.
    load = measure_load(before, before, nodes=())
    with bare_machine(spec, progress=progress) as machine:
        scenario = try_packages(machine, larder, names, also=also, progress=progress)
    return PlayedScenario(excuse(scenario, larder.packages), load=load)


def excuse(scenario: Scenario, packages: PackageSet) -> Scenario:
    """Unmet dependencies are no fault of a set that labctl has filled up with other packages, nor
    of a package that is not one of Jitsi's main ones: such a set cannot have what it needs."""
    mixed = len({item.origin for item in packages.packages}) > 1
    others = {deb.name for deb in packages.others}

    def judged(step: InstallStep) -> InstallStep:
        if not mixed and not others.issuperset(step.packages):
            return step
        seen = (
            replace(each, ours=True) if each.symptom is Symptom.UNMET else each
            for each in step.observations
        )
        return replace(step, observations=tuple(seen))

    return replace(scenario, steps=tuple(map(judged, scenario.steps)))


def list_tried(
    packages: PackageSet, side: Side, trials: Sequence[PlayedScenario], *, why: str = ""
) -> tuple[TriedPackage, ...]:
    """Every package of the set, and Jitsi's that it lacks, with where each was tried.

    `why` is the reason why there are no further trials.
    """
    installed = {name for trial in trials for name in _installed(trial.scenario)}
    unmet = {name: text for trial in trials for name, text in _unmet(trial.scenario).items()}
    items = [(item.name, item.version or "") for item in (*packages.packages, *packages.extras)]
    items += [(deb.name, deb.version) for deb in packages.others]
    found = []
    for name, version in items:
        if name in side.packages:
            found.append(TriedPackage(name, side.packages[name], TriedIn.LAB))
        elif name in installed:
            found.append(TriedPackage(name, version, TriedIn.MACHINE))
        else:
            reason = unmet.get(name) or why or "its installation did not come to an end"
            found.append(TriedPackage(name, version, TriedIn.NOWHERE, reason))
    held = {name for name, _ in items}
    found += [
        TriedPackage(name, "", TriedIn.NOWHERE, NOT_HELD)
        for name in EXTRA_PACKAGES
        if name not in held
    ]
    return tuple(found)


def _installed(scenario: Scenario) -> set[str]:
    """The packages that were installed, well or not: their scripts have run."""
    return {
        name
        for step in scenario.steps
        if not any(seen.symptom is Symptom.UNMET for seen in step.observations)
        for name in step.installed
    }


def _unmet(scenario: Scenario) -> dict[str, str]:
    return {
        name: seen.text.partition("\n")[0]
        for step in scenario.steps
        for seen in step.observations
        if seen.symptom is Symptom.UNMET
        for name in step.packages
    }
