"""The results of tests and drills, compared with those of the baseline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import assert_never

from labctl.gate.measures import Load
from labctl.gate.model import CaseOutcome, GateCase, GateFinding, Severity

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO

# What a failure says that waited for something and did not see it in time.
_WAITED = re.compile(
    r"timed? ?out|[Tt]imeout|\bwithin \d|\b(?:after|in) \d+(?:\.\d+)? ?s\b"
    r"|[Dd]eadline|too late|slow"
)


def judge_cases(
    area: str, new: Sequence[GateCase] | None, old: Sequence[GateCase] | None, *, load: Load | None
) -> Iterator[GateFinding]:
    """Findings on the candidate's tests or drills, which ran while others used `load`."""
    before = {each.name: each for each in old or ()}
    for case in new or ():
        found = _case(area, case, before.pop(case.name, None), load)
        if found is not None:
            yield found
    if new is None or old is None:
        return
    for name, was in before.items():
        if was.outcome in (CaseOutcome.PASSED, CaseOutcome.FLAKY):
            yield GateFinding(area, name, FAIL, "ran with the baseline and is now missing")


def _case(area: str, case: GateCase, was: GateCase | None, load: Load | None) -> GateFinding | None:
    """The finding on one test or drill, given its result with the baseline (None: it had none)."""
    message = case.message.partition("\n")[0]
    failed_before = was is not None and was.outcome is CaseOutcome.FAILED
    passed_before = was is not None and was.outcome is CaseOutcome.PASSED
    match case.outcome:
        case CaseOutcome.FAILED:
            return _failed(area, case.name, message, was, load)
        case CaseOutcome.FLAKY:
            severity, text = ATTENTION, f"failed, passed when tried again: {message}"
        case CaseOutcome.SKIPPED if passed_before:
            severity, text = FAIL, f"passed with the baseline, is now skipped: {message}"
        case CaseOutcome.PASSED if failed_before:
            severity, text = INFO, "failed with the baseline, now passes"
        case CaseOutcome.SKIPPED | CaseOutcome.PASSED:
            return None
        case _:
            assert_never(case.outcome)
    return GateFinding(area, case.name, severity, text)


def _failed(
    area: str, name: str, message: str, was: GateCase | None, load: Load | None
) -> GateFinding:
    match was.outcome if was is not None else CaseOutcome.PASSED:
        case CaseOutcome.FAILED:
            return GateFinding(area, name, ATTENTION, f"fails on both sides: {message}")
        case CaseOutcome.FLAKY:
            text = f"fails, and sometimes failed with the baseline: {message}"
            return GateFinding(area, name, ATTENTION, text)
        case CaseOutcome.PASSED | CaseOutcome.SKIPPED:
            return _fails_here(area, name, message, load)
        case outcome:
            assert_never(outcome)


def _fails_here(area: str, name: str, message: str, load: Load | None) -> GateFinding:
    # Drills are judged by their budgets; of tests only those that waited are a matter of load.
    waited = area == "drills" or _WAITED.search(message) is not None
    if load is not None and load.disturbed and waited:
        text = f"failed while others used {load.lost:.0%} of the processors: {message}"
        return GateFinding(area, name, Severity.UNDECIDED, text)
    return GateFinding(area, name, FAIL, message)
