"""Suites and cases for CI: what is in which suite, how it came out, and what it is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labctl.gate.cicases import CiCase, CiSuite, suites_of, total
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    Severity,
    Side,
    TriedIn,
    TriedPackage,
    Trouble,
)
from tests.gate.sides import FAILED, PASSED, SKIPPED

TEST = "acceptance/test_ports.py::test_open[jms-5222]"


def gate_of(
    *findings: GateFinding,
    word: GateVerdict = GateVerdict.PASS,
    baseline: Side | None = None,
    strict: bool = False,
    **values: object,
) -> Gate:
    side = Side("candidate", "debs:/x", **values)  # type: ignore[arg-type]
    return Gate(word, "a reason", side, baseline, findings, seconds=12.5, strict=strict)


def suite_of(gate: Gate, name: str) -> CiSuite:
    (found,) = (each for each in suites_of(gate) if each.name == name)
    return found


def test_every_area_has_a_suite_even_if_it_is_empty() -> None:
    areas = [
        "verdict", "tests", "drills", "contract", "packages",
        "upgrade", "timings", "media", "resources", "soak", "drift", "logs",
    ]  # fmt: skip
    assert [each.name for each in suites_of(gate_of())] == [f"gate.{area}" for area in areas]


def test_an_end_to_end_suite_and_other_areas_have_theirs_where_there_are_any() -> None:
    other = GateFinding("weather", "rain", Severity.INFO, "it rains")
    gate = gate_of(other, e2e=(GateCase("ui/chat", PASSED),))
    assert [each.name for each in suite_of(gate, "gate.e2e").cases] == ["ui/chat"]
    names = [each.name for each in suites_of(gate)]
    assert names[4:6] == ["gate.packages", "gate.e2e"]
    assert names[-1] == "gate.weather"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        (GateVerdict.PASS, PASSED),
        (GateVerdict.FAIL, FAILED),
        (GateVerdict.NOT_JUDGED, SKIPPED),
    ],
)
def test_the_verdict_is_a_case(word: GateVerdict, outcome: CaseOutcome) -> None:
    text = f"{word}: a reason"
    assert suite_of(gate_of(word=word), "gate.verdict").cases == (
        CiCase("gate", "verdict", outcome, 12.5, text, text),
    )


def test_the_verdicts_body_tells_of_the_trouble_of_both_sides() -> None:
    mine = Trouble(
        "ready", "It was not ready.", packages=True, package="jicofo", hint="Look.",
        evidence=("jms: jicofo.service is failed", "  | it died"),
    )  # fmt: skip
    others = Trouble("images", "No engine answers.", packages=False)
    gate = gate_of(trouble=mine, baseline=Side("baseline", "debs:/y", trouble=others))
    (case,) = suite_of(gate, "gate.verdict").cases
    assert case.message == "pass: a reason"
    assert case.body == (
        "pass: a reason\n\n"
        "phase 'ready' (jicofo): It was not ready.\njms: jicofo.service is failed\n  | it died\n"
        "Hint: Look.\n\n"
        "phase 'images': No engine answers."
    )


def test_a_test_is_named_by_its_file_and_has_its_time_and_message() -> None:
    tests = (GateCase(TEST, PASSED, 0.5), GateCase("acceptance/test_x.py::test_b", SKIPPED, 0.1,
                                                   "no relays\nat all"))  # fmt: skip
    assert suite_of(gate_of(tests=tests), "gate.tests").cases == (
        CiCase("gate.tests.test_ports", "test_open[jms-5222]", PASSED, 0.5),
        CiCase(
            "gate.tests.test_x", "test_b", SKIPPED, 0.1, "no relays …", "no relays\nat all"
        ),
    )  # fmt: skip


def test_a_case_says_what_was_found_about_it_and_then_what_it_said_itself() -> None:
    finding = GateFinding("drills", "failover", Severity.FAIL, "fails here only")
    drill = GateCase("failover", FAILED, 20.0, "nobody came\nback")
    assert suite_of(gate_of(finding, drills=(drill,)), "gate.drills").cases == (
        CiCase(
            "gate.drills", "failover", FAILED, 20.0, "fails here only",
            "fails here only\n\nnobody came\nback",
        ),
    )  # fmt: skip


def test_a_case_without_a_message_has_the_finding_alone() -> None:
    finding = GateFinding("drills", "failover", Severity.ATTENTION, "flaky")
    (case,) = suite_of(
        gate_of(finding, drills=(GateCase("failover", PASSED),)), "gate.drills"
    ).cases
    assert (case.outcome, case.body) == (SKIPPED, "flaky")


def test_what_is_missing_has_a_case_by_its_finding() -> None:
    finding = GateFinding("tests", TEST, Severity.FAIL, "is now missing")
    same_name = GateFinding("drills", TEST, Severity.FAIL, "another area's")
    assert suite_of(gate_of(finding, same_name, tests=()), "gate.tests").cases == (
        CiCase(
            "gate.tests.test_ports", "test_open[jms-5222]", FAILED, 0.0, "is now missing",
            f"{TEST}\nis now missing",
        ),
    )  # fmt: skip


def test_packages_have_cases() -> None:
    tried = (
        TriedPackage("jicofo", "1", TriedIn.LAB),
        TriedPackage("jigasi", "1", TriedIn.NOWHERE, "no dependency"),
    )
    cases = suite_of(gate_of(tried=tried), "gate.packages").cases
    assert [(it.classname, it.name, it.outcome, it.message) for it in cases] == [
        ("gate.packages", "jicofo", PASSED, "tried in the lab"),
        ("gate.packages", "jigasi", SKIPPED, "not tried: no dependency"),
    ]


@pytest.mark.parametrize(
    ("severity", "strict", "outcome"),
    [
        (Severity.FAIL, False, FAILED),
        (Severity.UNDECIDED, False, SKIPPED),
        (Severity.UNDECIDED, True, SKIPPED),
        (Severity.ATTENTION, False, SKIPPED),
        (Severity.ATTENTION, True, FAILED),
        (Severity.INFO, True, PASSED),
    ],
)
def test_how_a_finding_comes_out(severity: Severity, strict: bool, outcome: CaseOutcome) -> None:
    found = suite_of(
        gate_of(GateFinding("logs", "jvb A.b", severity, "new"), strict=strict), "gate.logs"
    )
    assert [each.outcome for each in found.cases] == [outcome]
    assert [found.count(each) for each in (PASSED, FAILED, SKIPPED)] == [
        int(each is outcome) for each in (PASSED, FAILED, SKIPPED)
    ]


def names_of(*findings: tuple[str, str]) -> list[str]:
    found = (GateFinding("logs", name, Severity.ATTENTION, text) for name, text in findings)
    return [each.name for each in suite_of(gate_of(*found), "gate.logs").cases]


def test_names_that_are_not_theirs_alone_get_digits_of_what_they_say() -> None:
    one, other, third = names_of(("jvb A", "lost"), ("jvb A", "found"), ("jvb B", "lost"))
    assert re.fullmatch(r"jvb A \[[0-9a-f]{6}\]", one)
    assert re.fullmatch(r"jvb A \[[0-9a-f]{6}\]", other)
    assert one != other
    assert third == "jvb B"
    # Figures differ from build to build: the name does not.
    assert (
        names_of(("jvb A", "7 lost"), ("jvb A", "found"))[0]
        == (names_of(("jvb A", "8 lost"), ("jvb A", "found"))[0])
    )


def test_cases_that_say_the_same_are_numbered() -> None:
    found = names_of(*[("jvb A", "lost")] * 3)
    assert found == [found[0], f"{found[0]} 2", f"{found[0]} 3"]


def test_long_names_are_cut_and_stay_apart() -> None:
    (whole,) = names_of(("x" * 100, "lost"))
    assert whole == "x" * 100
    one, other = names_of(("x" * 101, "lost"), ("x" * 102, "lost"))
    assert one != other
    assert one.startswith("x" * 91 + " [") and len(one) == 100
    (blank,) = names_of(("x" * 90 + " " + "y" * 20, "lost"))
    assert blank.startswith("x" * 90 + " [")


def test_blanks_in_names_are_single_ones() -> None:
    assert names_of((" prosody  a:\t1 ", "new")) == ["prosody a: 1"]


def test_messages_are_one_line_that_is_not_long() -> None:
    tests = (GateCase(TEST, FAILED, 0.5, "y" * 300),)
    finding = GateFinding("drift", "prosody", Severity.ATTENTION, "z" * 300)
    gate = gate_of(finding, tests=tests)
    assert suite_of(gate, "gate.tests").cases[0].message == "y" * 198 + " …"
    assert suite_of(gate, "gate.drift").cases[0].message == "z" * 198 + " …"


def test_a_file_that_is_not_there_is_not_attached(tmp_path: Path) -> None:
    tests, drills = (GateCase(TEST, FAILED),), (GateCase("failover", FAILED),)
    (tmp_path / "candidate").mkdir()
    (tmp_path / "candidate" / "drills.json").write_text("[]")
    (tmp_path / "candidate" / "drift.json").write_text("{}")
    drift = GateFinding("drift", "prosody", Severity.ATTENTION, "new")
    suites = suites_of(gate_of(drift, tests=tests, drills=drills), folder=tmp_path)
    attached = {suite.name: [case.attachment for case in suite.cases] for suite in suites}
    assert attached["gate.tests"] == [""]
    assert attached["gate.drills"] == [str(tmp_path / "candidate" / "drills.json")]
    assert attached["gate.drift"] == [str(tmp_path / "candidate" / "drift.json")]
    assert attached["gate.verdict"] == [""]


def test_cases_of_all_suites_are_counted() -> None:
    tests = (GateCase(TEST, FAILED), GateCase(TEST + "x", PASSED), GateCase(TEST + "y", PASSED))
    suites = suites_of(gate_of(tests=tests, drills=(GateCase("failover", FAILED),)))
    assert total(suites, FAILED) == 2
    assert total(suites, PASSED) == 3  # with the verdict
