"""An end-to-end suite in the gate: its specs as cases, and what they do to the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from labctl.core.progress import Progress
from labctl.e2e.files import save_record
from labctl.e2e.needs import want_programs
from labctl.e2e.run import E2ePlan, cores, run_plan
from labctl.e2e.suite import find_suite
from labctl.gate.cases import judge_cases
from labctl.gate.model import CaseOutcome, GateCase, GateFinding, Severity, Side
from labctl.report.e2e import SpecOutcome, SpecRecord
from labctl.topology.lab import Lab

NOT_RUN = ("e2e", "suite")
"""Area and subject of the finding on a suite that was wanted and could not be run."""


def run_e2e(lab: Lab, suite: Path, *, folder: Path, progress: Progress) -> tuple[GateCase, ...]:
    """Run the suite on a side's lab; its pictures, logs and page (e2e.html) go to `folder`.

    Errors: LabError if it cannot be run here; KeyboardInterrupt."""
    found = find_suite(suite)
    plan = E2ePlan(found, found.specs, want_programs(found), folder, most_browsers=cores())
    folder.mkdir(parents=True, exist_ok=True)
    record = run_plan(lab, plan, progress=progress, save=lambda it: save_record(it, folder))
    if record.interrupted:
        raise KeyboardInterrupt
    return tuple(map(case_of, record.specs))


def case_of(spec: SpecRecord) -> GateCase:
    """A spec as the gate counts it."""
    return GateCase(spec.name, _outcome_of(spec.outcome), spec.seconds, spec.message)


def _outcome_of(outcome: SpecOutcome) -> CaseOutcome:
    match outcome:
        case SpecOutcome.PASSED:
            return CaseOutcome.PASSED
        case SpecOutcome.FAILED:
            return CaseOutcome.FAILED
        case SpecOutcome.FLAKY:
            return CaseOutcome.FLAKY
        case SpecOutcome.SKIPPED | SpecOutcome.NOT_RUN:
            return CaseOutcome.SKIPPED
        case _:
            assert_never(outcome)


def judge_e2e(candidate: Side, baseline: Side) -> Iterator[GateFinding]:
    """Findings on the candidate's specs; a suite that was wanted and not run prevents a pass."""
    if reason := candidate.not_tried.get("e2e"):
        yield GateFinding(*NOT_RUN, Severity.UNDECIDED, f"could not be run: {reason}")
    yield from judge_cases("e2e", candidate.e2e, baseline.e2e, load=candidate.load)
