"""The verdict: what fails a candidate, what only needs a look, and when nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.gate.compare import judge
from labctl.gate.model import Case, Difference, Finding, Gate, Outcome, Severity, Trouble, Word
from tests.gate.sides import FAILED, FLAKY, PASSED, SKIPPED, UPS, case, make_side, template


def subjects(gate: Gate, severity: Severity) -> list[str]:
    return [each.subject.rpartition("::")[2] for each in gate.findings if each.severity is severity]


def test_everything_passed() -> None:
    gate = judge(make_side())
    assert (gate.word, gate.word.exit_code) == (Word.PASS, 0)
    assert gate.findings == ()


def test_same_as_the_baseline() -> None:
    gate = judge(make_side(), make_side("baseline"))
    assert gate.word is Word.PASS
    assert gate.reason == "as good as the baseline"
    assert [timing["verdict"] for timing in gate.timings] == ["not judged", "same", "same"]


@pytest.mark.parametrize(
    ("values", "subject"),
    [
        ({"tests": (case("test_a"), case("test_b", FAILED, "no bridge\nmore"))}, "test_b"),
        ({"drills": (Case("failover", FAILED, 9.0, "nobody was re-invited"),)}, "failover"),
    ],
    ids=["test", "drill"],
)
def test_failure_without_a_baseline(values: dict[str, Any], subject: str) -> None:
    gate = judge(make_side(**values))
    assert (gate.word, gate.word.exit_code) == (Word.FAIL, 1)
    assert subjects(gate, Severity.FAIL) == [subject]
    assert "\n" not in gate.findings[0].text


@pytest.mark.parametrize(
    ("new", "old", "severity"),
    [
        (FAILED, PASSED, Severity.FAIL),
        (FAILED, None, Severity.FAIL),
        (FAILED, FAILED, Severity.ATTENTION),
        (FLAKY, PASSED, Severity.ATTENTION),
        (SKIPPED, PASSED, Severity.FAIL),
        (None, PASSED, Severity.FAIL),
        (PASSED, FAILED, Severity.INFO),
        (SKIPPED, SKIPPED, None),
        (PASSED, FLAKY, None),
        (None, SKIPPED, None),
    ],
    ids=lambda value: str(value),
)
def test_test_against_the_baselines(
    new: Outcome | None, old: Outcome | None, severity: Severity | None
) -> None:
    both = case("test_other")
    candidate = make_side(tests=(both, *([case("test_x", new)] if new else [])))
    baseline = make_side("baseline", tests=(both, *([case("test_x", old)] if old else [])))
    gate = judge(candidate, baseline)
    found = [each.severity for each in gate.findings if each.subject.endswith("test_x")]
    assert found == ([severity] if severity else [])
    assert gate.word is (Word.FAIL if severity is Severity.FAIL else Word.PASS)


def test_slower_beyond_noise_fails() -> None:
    slow = tuple({**each, "ready": each["ready"] + 4} for each in UPS)
    gate = judge(make_side(ups=slow), make_side("baseline"))
    assert gate.word is Word.FAIL
    (finding,) = [each for each in gate.findings if each.area == "timings"]
    assert finding == Finding(
        "timings", "ready", Severity.FAIL, "slower: 9.2 s (9.0-9.4) against 5.2 s (5.0-5.4)"
    )


def test_no_verdict_on_timings_of_too_few_runs() -> None:
    slow = tuple({**each, "ready": each["ready"] + 40} for each in UPS[:2])
    gate = judge(make_side(ups=slow), make_side("baseline"))
    assert gate.word is Word.PASS
    assert "not judged" in gate.findings[-1].text


def test_new_log_lines_and_drift_are_for_a_look_and_fail_when_strict() -> None:
    candidate = make_side(
        logs=(template("discovered <n> components"), template("boom <n>", level="error")),
        drift=(Difference("jicofo a: 3 -> 2", judged=True),),
    )
    baseline = make_side("baseline")
    gate = judge(candidate, baseline)
    assert gate.word is Word.PASS
    assert [(each.area, each.subject) for each in gate.findings] == [
        ("drift", "jicofo a: 3 -> 2"),
        ("drift", "jicofo a: 1 -> 2"),
        ("logs", "jicofo"),
    ]
    assert "new error, 3x: boom 7" in gate.findings[-1].text
    assert judge(candidate, baseline, strict=True).word is Word.FAIL


def test_without_a_baseline_drift_counts_where_nobody_has_judged_it() -> None:
    drift = (Difference("a", judged=True), Difference("b", judged=False))
    gate = judge(make_side(drift=drift))
    assert [(each.area, each.subject) for each in gate.findings] == [("drift", "b")]


@pytest.mark.parametrize(
    ("label", "packages", "word"),
    [
        ("candidate", True, Word.FAIL),
        ("candidate", False, Word.NOT_JUDGED),
        ("baseline", True, Word.NOT_JUDGED),
        ("baseline", False, Word.NOT_JUDGED),
    ],
)
def test_trouble(label: str, packages: bool, word: Word) -> None:
    trouble = Trouble("ready", "The lab was not ready.", packages, package="jicofo")
    sides = {"candidate": make_side(), "baseline": make_side("baseline")}
    sides[label] = make_side(label, trouble=trouble)
    gate = judge(sides["candidate"], sides["baseline"])
    assert gate.word is word
    assert gate.word.exit_code == (1 if word is Word.FAIL else 3)
    if word is Word.FAIL:
        assert gate.reason == "package 'jicofo' failed in phase 'ready'"


@pytest.mark.parametrize("tests", [None, (), (case("test_a", SKIPPED),)], ids=str)
def test_nothing_that_ran_is_no_pass(tests: object) -> None:
    assert judge(make_side(tests=tests)).word is Word.NOT_JUDGED


def test_plain_data() -> None:
    data = judge(make_side(stand_ins=("jicofo",)), make_side("baseline")).to_json()
    assert data["exit_code"] == 0
    assert data["stand_ins"] == ["jicofo"]
    assert data["candidate"]["tests"][0]["outcome"] == "passed"
