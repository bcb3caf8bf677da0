"""Which of several versions is the first bad one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from pathlib import Path

from labctl.core.errors import LabError, UsageError
from labctl.gate.bisected import Answer, BisectResult, make_result, not_bad
from labctl.gate.exchange import Members, members_of, read_member
from labctl.gate.search import FirstBad, TrialOutcome, find_first_bad
from labctl.gate.trials import Trials
from labctl.images.debs import host_architecture, is_newer, load_debs, load_files


@dataclass(frozen=True, slots=True)
class Version:
    """One step of a folder of versions: its name, and the packages that it brings."""

    name: str
    members: Members


def find_in_versions(names: Sequence[str], sets: Sequence[Members], trials: Trials) -> BisectResult:
    """The first bad one of some sets in order."""

    def test(index: int) -> TrialOutcome:
        outcome = trials.test(sets[index], what=f"version {names[index]}")
        if outcome is TrialOutcome.BAD and not trials.symptoms:
            trials.search_for(sets[index])
        return outcome

    found = find_first_bad(len(sets), test)
    if found is None:
        newest = f"version {names[-1]}"
        outcome = next(each.outcome for each in trials.trials.values() if each.what == newest)
        return not_bad(trials, newest, outcome)
    return _first_bad(trials, names, found)


def _first_bad(trials: Trials, names: Sequence[str], found: FirstBad) -> BisectResult:
    good = "the good set" if found.good < 0 else names[found.good]
    notes = ["a version after a bad one is taken to be bad"] if len(names) > 2 else []
    culprit = {"version": (good, names[found.bad])}
    if found.between:
        between = ", ".join(names[index] for index in found.between)
        says = (
            f"the first bad version is {names[found.bad]}, or one of {between}, which say nothing"
        )
        return make_result(trials, Answer.UNCLEAR, says, culprits=[culprit], notes=notes)
    says = f"the first bad version is {names[found.bad]}; {good} is good"
    return make_result(trials, Answer.FOUND, says, culprits=[culprit], notes=notes)


def load_versions(folder: Path) -> list[Version]:
    """The versions in a folder, the oldest first: its folders, each with a set of packages, or
    the files of one package in several versions.  Errors: UsageError, LabError."""
    if not folder.is_dir():
        raise UsageError(f"'{folder}' is not a folder.", hint="It holds a folder for each version.")
    architecture = host_architecture()
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and any(path.rglob("*.deb")))
    if inner:
        found = [
            Version(path.name, members_of(load_debs(path, architecture=architecture).debs))
            for path in inner
        ]
        return sorted(found, key=cmp_to_key(_compare))
    return _files_of_one(folder, architecture=architecture)


def _files_of_one(folder: Path, *, architecture: str) -> list[Version]:
    members = [
        read_member(deb)
        for path in sorted(folder.glob("*.deb"))
        if not path.name.startswith(".")
        for deb in load_files([path], architecture=architecture).debs
    ]
    names = {each.deb.name for each in members}
    if not members:
        raise LabError(f"'{folder}' has no .deb files.")
    if len(names) > 1:
        raise UsageError(
            f"'{folder}' holds files of several packages: {', '.join(sorted(names))}.",
            hint="Make a folder for each version, with the packages that belong together.",
        )
    found = [Version(each.deb.version, {each.deb.name: each}) for each in members]
    return sorted(found, key=cmp_to_key(_compare))


def _compare(one: Version, other: Version) -> int:
    """By the version of the first package that both have and that differs, else by name."""
    for name in sorted(set(one.members) & set(other.members)):
        mine, its = one.members[name].deb.version, other.members[name].deb.version
        if mine != its:
            return 1 if is_newer(mine, its) else -1
    mine, its = (re.sub(r"\d+", lambda m: m[0].zfill(12), each.name) for each in (one, other))
    return (mine > its) - (mine < its)
