"""Results of tests and drills beside those of the baseline, in words."""

from __future__ import annotations

import pytest

from labctl.gate.cases import judge_cases
from labctl.gate.measures import Load
from labctl.gate.model import CaseOutcome, GateCase, GateFinding, Severity
from tests.gate.sides import FAILED, FLAKY, PASSED, SKIPPED

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO
BUSY, QUIET = Load(20.0, 2, 0.3, 0.1), Load(20.0, 2, 0.1)


@pytest.mark.parametrize(
    ("new", "old", "finding"),
    [
        (FAILED, PASSED, (FAIL, "why")),
        (FAILED, SKIPPED, (FAIL, "why")),
        (FAILED, None, (FAIL, "why")),
        (FAILED, FAILED, (ATTENTION, "fails on both sides: why")),
        (FAILED, FLAKY, (ATTENTION, "fails, and sometimes failed with the baseline: why")),
        (FLAKY, PASSED, (ATTENTION, "failed, passed when tried again: why")),
        (SKIPPED, PASSED, (FAIL, "passed with the baseline, is now skipped: why")),
        (SKIPPED, FAILED, None),
        (SKIPPED, None, None),
        (PASSED, FAILED, (INFO, "failed with the baseline, now passes")),
        (PASSED, PASSED, None),
        (PASSED, None, None),
    ],
    ids=str,
)
def test_a_case_and_what_it_was_with_the_baseline(
    new: CaseOutcome, old: CaseOutcome | None, finding: tuple[Severity, str] | None
) -> None:
    before = [] if old is None else [GateCase("failover", old, 1.0, "then")]
    after = [GateCase("failover", new, 1.0, "why\nmore\nand more")]
    found = list(judge_cases("drills", after, before, load=None))
    assert found == ([GateFinding("drills", "failover", *finding)] if finding else [])


@pytest.mark.parametrize("outcome", list(CaseOutcome))
def test_what_ran_with_the_baseline_must_not_be_missing(outcome: CaseOutcome) -> None:
    before = [GateCase("failover", outcome)]
    found = list(judge_cases("drills", [], before, load=None))
    text = "ran with the baseline and is now missing"
    missing = [GateFinding("drills", "failover", FAIL, text)]
    assert found == (missing if outcome in (PASSED, FLAKY) else [])
    assert list(judge_cases("drills", None, before, load=None)) == []
    assert list(judge_cases("drills", None, None, load=None)) == []


def test_every_case_is_judged() -> None:
    cases = [GateCase("a", PASSED), GateCase("b", FAILED), GateCase("c", PASSED),
             GateCase("d", FAILED)]  # fmt: skip
    assert [it.subject for it in judge_cases("tests", cases, None, load=None)] == ["b", "d"]
    assert [it.subject for it in judge_cases("tests", cases, cases[1:2], load=None)] == ["b", "d"]


@pytest.mark.parametrize(
    ("message", "waited"),
    [
        ("no answer within 3 s", True),
        ("nothing after 2.5 s", True),
        ("nothing in 40 s", True),
        ("the request timed out", True),
        ("a time out", True),
        ("TimeoutError", True),
        ("the Deadline has passed", True),
        ("it came too late", True),
        ("it is slow", True),
        ("mode is 640", False),
        ("within reach", False),
        ("in 40 seconds", False),
    ],
)
def test_of_tests_only_those_that_waited_are_excused_by_load(message: str, waited: bool) -> None:
    def judge(area: str, load: Load | None) -> GateFinding:
        (found,) = judge_cases(area, [GateCase("x", FAILED, 1.0, message)], None, load=load)
        return found

    text = f"failed while others used 40% of the processors: {message}"
    excused = GateFinding("tests", "x", Severity.UNDECIDED, text)
    failed = GateFinding("tests", "x", FAIL, message)
    assert judge("tests", BUSY) == (excused if waited else failed)
    assert judge("tests", QUIET) == judge("tests", None) == failed
    # Every drill has a budget of seconds.
    assert judge("drills", BUSY).severity is Severity.UNDECIDED
    assert judge("drills", QUIET).severity is FAIL
