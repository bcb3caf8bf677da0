"""Trials of a bisection: each is a gate of its own, and what came of it is kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import assert_never

from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Progress
from labctl.core.state import StateKind, load_state, save_state
from labctl.gate.exchange import Members, broken
from labctl.gate.identity import digest
from labctl.gate.model import Gate, GateVerdict, Severity
from labctl.gate.run import GatePlan, GateRun, run_gate
from labctl.gate.search import TrialOutcome

TROUBLE = "trouble"
BEFORE_LAB = ("packages", "images")
"""Phases that end before a lab exists: what fails there was not installed."""


@dataclass(frozen=True, slots=True, order=True)
class Symptom:
    """One thing by which packages are bad: a finding, or the phase in which a package failed."""

    area: str
    subject: str

    def __str__(self) -> str:
        return f"{self.area}: {self.subject.rpartition('::')[2]}"


@dataclass(frozen=True, slots=True)
class Trial:
    """A set of packages that was tried: `what` in words, its versions, and what came of it.

    `report` is the folder of its gate, empty if none was run."""

    what: str
    versions: Mapping[str, str]
    outcome: TrialOutcome
    reason: str
    symptoms: tuple[Symptom, ...] = ()
    seconds: float = 0.0
    report: str = ""


@dataclass(frozen=True, slots=True)
class TrialsState:
    """Trials by what was tried, for a bisection with this key."""

    key: str
    trials: Mapping[str, Trial] = field(default_factory=dict)


TRIALS: StateKind[TrialsState] = StateKind(
    format=1, parse=partial(from_plain, TrialsState), remedy="Remove it to begin again."
)


@dataclass(slots=True)
class Trials:
    """Tries sets of packages; what was tried before, by this run or an earlier one, is known.

    `plan` says how, and its folder holds everything.  `symptoms` are those that are searched for;
    before they are known every failure counts.
    """

    plan: GatePlan
    folder: Path
    key: str
    progress: Progress
    gate: Callable[[GatePlan], GateRun]
    symptoms: frozenset[Symptom] = frozenset()
    trials: dict[str, Trial] = field(default_factory=dict)

    @classmethod
    def open(
        cls, plan: GatePlan, folder: Path, *, key: str, fresh: bool, progress: Progress
    ) -> Trials:
        """The trials of an earlier run of the same bisection, else none."""
        found = cls(plan, folder, key, progress, partial(run_gate, progress=progress))
        if not fresh and found.file.is_file():
            state = load_state(found.file, TRIALS)
            if state.key == key:
                found.trials = dict(state.trials)
                progress("bisect", f"{len(state.trials)} trials are known from '{folder}'")
        return found

    @property
    def file(self) -> Path:
        return self.folder / "trials.json"

    def test(self, members: Members, *, what: str) -> TrialOutcome:
        """Try a set once."""
        name = digest(sorted(each.deb.sha256 for each in members.values()))
        known = self.trials.get(name)
        if known is None:
            known = self._try(members, what, self.folder / f"trial-{name}")
            self.trials[name] = known
            state = TrialsState(self.key, self.trials)
            save_state(self.file, TRIALS, to_plain(state))
            self.progress("bisect", f"{known.outcome}: {what}; {known.reason}")
        return known.outcome

    def search_for(self, members: Members) -> bool:
        """Take the symptoms of a set that was tried as those that are searched for, and try only
        what shows them from now on; False if it has none."""
        name = digest(sorted(each.deb.sha256 for each in members.values()))
        self.symptoms = frozenset(self.trials[name].symptoms)
        self.plan = narrowed(self.plan, self.symptoms)
        return bool(self.symptoms)

    def _try(self, members: Members, what: str, folder: Path) -> Trial:
        versions = {name: each.deb.version for name, each in sorted(members.items())}
        wrong = broken(members, members)
        if wrong:
            reason = "; ".join(map(str, wrong))
            return Trial(what, versions, TrialOutcome.IMPOSSIBLE, reason)
        self.progress("bisect", f"trying {what}")
        began = time.monotonic()
        done = self.gate(replace(self.plan, candidate=source_of(members), folder=folder))
        symptoms = symptoms_of(done.gate, strict=self.plan.strict)
        outcome, reason = outcome_of(done.gate, symptoms, wanted=self.symptoms)
        seconds = round(time.monotonic() - began, 1)
        return Trial(what, versions, outcome, reason, symptoms, seconds, str(done.folder))


def source_of(members: Members) -> str:
    """A set as a source: its files."""
    return "debs:" + ",".join(str(each.deb.file) for _, each in sorted(members.items()))


def symptoms_of(gate: Gate, *, strict: bool) -> tuple[Symptom, ...]:
    """What decided against the candidate; nothing if that did not happen."""
    if gate.word is not GateVerdict.FAIL:
        return ()
    trouble = gate.candidate.trouble
    if trouble is not None:
        return (Symptom(TROUBLE, f"{trouble.package or 'the packages'} in '{trouble.phase}'"),)
    deciding = (Severity.FAIL, Severity.ATTENTION) if strict else (Severity.FAIL,)
    found = {
        Symptom(each.area, each.subject) for each in gate.findings if each.severity in deciding
    }
    return tuple(sorted(found))


def outcome_of(
    gate: Gate, symptoms: Collection[Symptom], *, wanted: Collection[Symptom]
) -> tuple[TrialOutcome, str]:
    """What a gate says of a trial, given the symptoms that are searched for (none: all are)."""
    trouble = gate.candidate.trouble
    early = trouble is not None and trouble.packages and trouble.phase in BEFORE_LAB
    if trouble is not None and early and wanted and not set(wanted).intersection(symptoms):
        return TrialOutcome.IMPOSSIBLE, trouble.message.partition("\n")[0]
    match gate.word:
        case GateVerdict.PASS:
            return TrialOutcome.GOOD, gate.reason
        case GateVerdict.NOT_JUDGED:
            return TrialOutcome.UNKNOWN, gate.reason
        case GateVerdict.FAIL:
            shared = sorted(set(wanted or symptoms).intersection(symptoms))
            if shared:
                return TrialOutcome.BAD, "; ".join(map(str, shared))
            return TrialOutcome.OTHER, "; ".join(map(str, symptoms))
        case _:
            assert_never(gate.word)


def narrowed(plan: GatePlan, symptoms: Collection[Symptom]) -> GatePlan:
    """The plan without what cannot show any of these: further runs and other drills cost most."""
    areas = {each.area for each in symptoms}
    drills = tuple(sorted(each.subject for each in symptoms if each.area == "drills"))
    if areas & {"timings", "media"}:
        return plan
    return replace(plan, runs=1, drills=drills)
