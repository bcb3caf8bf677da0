"""JUnit in both directions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Failure, JUnitXml, Skipped
from lxml import etree

from labctl.core.errors import LabError
from labctl.gate import junit
from labctl.gate.compare import judge_gate
from labctl.gate.junit import MOST_BYTES, load_junit, parse_junit, render_junit
from labctl.gate.model import (
    CaseOutcome,
    Difference,
    Gate,
    GateCase,
    GateVerdict,
    Side,
    Trouble,
)
from tests.gate.sides import FAILED, PASSED, SKIPPED, case, finding_storm, make_side

RECORDED = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="2" tests="5" time="61.9">
<testcase classname="acceptance.test_ports" name="test_open[jms-5222]" time="0.019" />
<testcase classname="acceptance.test_ports" name="test_closed[jvb1]" time="0.5">
<failure message="AssertionError: 8080 answers">trace</failure></testcase>
<testcase classname="acceptance.test_brewery" name="test_all" time="0.1">
<error message="failed on teardown">trace</error></testcase>
<testcase classname="acceptance.test_brewery" name="test_all" time="0.1" />
<testcase classname="acceptance.test_config" name="test_relays" time="0">
<skipped type="pytest.skip" message="no relays">x</skipped></testcase>
<testcase classname="acceptance.test_failover" name="test_kill" time="0">
<skipped type="pytest.xfail" message="upstream's weakness" /></testcase>
</testsuite></testsuites>"""


def test_what_pytest_wrote() -> None:
    found = {case.name: case for case in parse_junit(RECORDED)}
    assert {name: case.outcome for name, case in found.items()} == {
        "acceptance/test_ports.py::test_open[jms-5222]": CaseOutcome.PASSED,
        "acceptance/test_ports.py::test_closed[jvb1]": CaseOutcome.FAILED,
        "acceptance/test_brewery.py::test_all": CaseOutcome.FAILED,
        "acceptance/test_config.py::test_relays": CaseOutcome.SKIPPED,
        "acceptance/test_failover.py::test_kill": CaseOutcome.PASSED,
    }
    assert found["acceptance/test_ports.py::test_closed[jvb1]"].message.startswith("Assertion")


def test_half_a_file() -> None:
    with pytest.raises(LabError, match="is damaged"):
        parse_junit(RECORDED[:300])


def test_what_ci_gets() -> None:
    tests = (case("test_a"), case("test_b", FAILED, "colour \x1b[31mred\x1b[0m \x00"))
    gate = judge_gate(make_side(tests=tests), make_side("baseline"))
    root = ElementTree.fromstring(render_junit(gate))
    suites = {suite.get("name"): suite for suite in root}
    assert suites["gate.verdict"].get("failures") == "1"
    assert suites["gate.tests"].get("tests") == "2"
    (failure,) = suites["gate.tests"].iter("failure")
    assert failure.get("message") == "colour red "


def test_failure_on_both_sides_is_no_failure_for_ci() -> None:
    tests = (case("test_a"), case("test_b", FAILED, "as ever"), case("test_c", SKIPPED))
    gate = judge_gate(make_side(tests=tests), make_side("baseline", tests=tests))
    root = ElementTree.fromstring(render_junit(gate))
    assert {suite.get("failures") for suite in root} == {"0"}


SCHEMA = Path(__file__).parent / "schemas" / "junit-jenkins.xsd"


def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMA))


def complaints(text: str) -> list[str]:
    found = schema()
    found.validate(etree.fromstring(text.encode()))
    return [str(error) for error in found.error_log]


TROUBLE = Trouble("images", "The bake failed.", packages=True, package="jicofo", hint="Look.")


@pytest.mark.parametrize(
    "gate",
    [
        judge_gate(make_side()),
        judge_gate(make_side(), make_side("baseline")),
        judge_gate(make_side(trouble=TROUBLE, tests=None)),
        finding_storm(),
    ],
    ids=["alone", "pair", "trouble", "storm"],
)
def test_jenkins_accepts_it(gate: Gate) -> None:
    assert complaints(render_junit(gate)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="verdict"', 'nome="verdict"'),
        ('classname="gate"', 'classname=""'),
        ('tests="1"', 'tests="one"'),
        ("<skipped", "<omitted"),
        ('name="test_b"', 'name="test_c"'),
    ],
)
def test_the_schema_refuses_what_jenkins_would(old: str, new: str) -> None:
    tests = (case("test_a"), case("test_b", SKIPPED, "x"), case("test_c", SKIPPED, "y"))
    text = render_junit(judge_gate(make_side(tests=tests)))
    assert complaints(text) == []
    changed = re.sub(rf"{re.escape(old)}", new, text)
    changed = changed.replace("</skipped", "</omitted") if "<omitted" in changed else changed
    assert changed != text
    assert complaints(changed)


def test_names_are_unique_short_and_the_same_in_the_next_build() -> None:
    def names(gate: Gate) -> list[tuple[str, str]]:
        root = ElementTree.fromstring(render_junit(gate))
        return [(it.get("classname", ""), it.get("name", "")) for it in root.iter("testcase")]

    found = names(finding_storm())
    assert len(found) == len(set(found))
    assert max(len(name) for _, name in found) <= 100
    assert ("gate.tests.test_x", "test_a[node-3]") in found
    assert names(finding_storm()) == found
    long = judge_gate(make_side(drift=(Difference("prosody " + "x" * 500, judged=False),)))
    (name,) = (name for area, name in names(long) if area == "gate.drift")
    assert len(name) <= 100 and re.search(r" \[[0-9a-f]{6}\]$", name)


def test_junitparser_reads_what_it_says() -> None:
    gate = finding_storm()
    found = JUnitXml.fromstring(render_junit(gate).encode())
    suites = {suite.name: suite for suite in found}
    assert found.tests == sum(suite.tests for suite in suites.values())
    assert suites["gate.verdict"].failures == 1
    tests = suites["gate.tests"]
    assert (tests.tests, tests.failures) == (13, 12)
    by_name = {each.name: each for each in tests}
    (failure,) = by_name["test_a[node-3]"].result
    assert isinstance(failure, Failure)
    assert failure.message == "<b>nobody</b> after 3 s"
    assert by_name["test_ok"].is_passed
    assert {each.is_skipped for each in suites["gate.drift"]} == {True}
    logs = [result for each in suites["gate.logs"] for result in each.result]
    assert all(isinstance(each, Skipped) and len(each.message) <= 200 for each in logs)
    assert found.failures == sum(len([r for r in it.result if isinstance(r, Failure)])
                                 for suite in suites.values() for it in suite)  # fmt: skip


def test_details_are_in_the_body() -> None:
    trouble = Trouble(
        "ready", "It was not ready.\nNot at all.", packages=True, package="jicofo",
        evidence=("jms: jicofo.service is failed",), hint="Look inside.",
    )  # fmt: skip
    found = JUnitXml.fromstring(
        render_junit(judge_gate(make_side(trouble=trouble, tests=None))).encode()
    )
    (verdict,) = (case for suite in found if suite.name == "gate.verdict" for case in suite)
    (failure,) = verdict.result
    for words in ("Not at all.", "jicofo.service is failed", "Hint: Look inside.", "(jicofo)"):
        assert words in failure.text
    assert "\n" not in failure.message


def test_attachments_are_named_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gate" / "candidate").mkdir(parents=True)
    log = tmp_path / "gate" / "candidate" / "tests.log"
    log.write_text("words")
    tests = (case("test_a"), case("test_b", FAILED, "no"))
    gate = judge_gate(make_side(tests=tests))
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    assert attachments(render_junit(gate, folder=tmp_path / "gate")) == {"test_b": str(log)}
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path))
    found = attachments(render_junit(gate, folder=tmp_path / "gate"))
    assert found == {"test_b": "gate/candidate/tests.log"}
    assert attachments(render_junit(gate)) == {}
    assert complaints(render_junit(gate, folder=tmp_path / "gate")) == []


def attachments(text: str) -> dict[str, str]:
    return {
        case.get("name", ""): path
        for case in ElementTree.fromstring(text).iter("testcase")
        for path in re.findall(r"\[\[ATTACHMENT\|(.*?)\]\]", case.findtext("system-out") or "")
    }


def test_strict_findings_are_failures_for_ci() -> None:
    drift = (Difference("jicofo a: 1 -> 2", judged=False),)
    for strict, failures in ((False, "0"), (True, "1")):
        root = ElementTree.fromstring(
            render_junit(judge_gate(make_side(drift=drift), strict=strict))
        )
        assert {it.get("name"): it.get("failures") for it in root}["gate.drift"] == failures


def test_a_report_is_never_larger_than_gitlab_reads() -> None:
    tests = tuple(case(f"test_{n}", FAILED, f"{n}\n" + "x" * 40_000) for n in range(1500))
    text = render_junit(judge_gate(make_side(tests=(*tests, case("test_ok")))))
    assert len(text.encode()) <= MOST_BYTES
    assert "cut; gate.json has all of it" in text
    assert text.count("<failure") == 1501


def report_of(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ('<testcase classname="a.b" name="c" time="1.5"/>', GateCase("a/b.py::c", PASSED, 1.5)),
        ('<testcase classname="a.b" name="c"/>', GateCase("a/b.py::c", PASSED, 0.0)),
        ("<testcase/>", GateCase(".py::", PASSED, 0.0)),
        (
            '<testcase classname="a" name="c" time="2"><failure message="no">trace</failure>'
            "</testcase>",
            GateCase("a.py::c", FAILED, 2.0, "no"),
        ),
        (
            '<testcase classname="a" name="c"><error> trace\nmore </error></testcase>',
            GateCase("a.py::c", FAILED, 0.0, "trace\nmore"),
        ),
        (
            '<testcase classname="a" name="c" time="2"><failure/></testcase>',
            GateCase("a.py::c", FAILED, 2.0, ""),
        ),
        (
            '<testcase classname="a" name="c" time="3">'
            '<skipped type="pytest.xfail" message="weak"/></testcase>',
            GateCase("a.py::c", PASSED, 3.0, "weak"),
        ),
        (
            '<testcase classname="a" name="c" time="3">'
            '<failure type="pytest.xfail" message="weak"/></testcase>',
            GateCase("a.py::c", FAILED, 3.0, "weak"),
        ),
    ],
    ids=["passed", "no time", "no name", "failed", "error", "silent", "expected", "failure"],
)
def test_a_case_as_pytest_writes_it(case: str, found: GateCase) -> None:
    assert parse_junit(report_of(case)) == [found]


@pytest.mark.parametrize("failed_first", [True, False])
def test_of_two_results_of_a_test_the_failure_counts(failed_first: bool) -> None:
    cases = [
        '<testcase classname="a" name="c"><failure message="no"/></testcase>',
        '<testcase classname="a" name="c"/>',
        '<testcase classname="a" name="d"/>',
    ]
    ordered = cases if failed_first else [cases[1], cases[0], cases[2]]
    found = parse_junit(report_of(*ordered))
    assert [(it.name, it.outcome) for it in found] == [("a.py::c", FAILED), ("a.py::d", PASSED)]


def test_pytest_may_not_have_come_so_far(tmp_path: Path) -> None:
    assert load_junit(tmp_path / "tests.xml") == []
    (tmp_path / "tests.xml").write_text(RECORDED)
    assert len(load_junit(tmp_path / "tests.xml")) == 5


def small_gate() -> Gate:
    tests = (
        GateCase("acceptance/test_x.py::test_a", PASSED, 0.25),
        GateCase("acceptance/test_x.py::test_b", FAILED, 1.0, "nobody came\nback"),
        GateCase("acceptance/test_x.py::test_c", SKIPPED, 0.0, "no relays"),
    )
    gate = judge_gate(make_side(tests=tests, drills=None, logs=(), drift=()))
    return replace(gate, seconds=12.5)


def test_the_attributes_that_ci_shows() -> None:
    root = ElementTree.fromstring(render_junit(small_gate()))
    assert root.attrib == {
        "name": "labctl gate", "tests": "4", "failures": "2", "errors": "0", "time": "12.500",
    }  # fmt: skip
    suite = root[1]
    assert suite.attrib == {
        "name": "gate.tests", "tests": "3", "failures": "1", "skipped": "1", "errors": "0",
        "time": "1.250",
    }  # fmt: skip
    first, second, third = suite
    names = [("test_a", "0.250"), ("test_b", "1.000"), ("test_c", "0.000")]
    assert [each.attrib for each in suite] == [
        {"classname": "gate.tests.test_x", "name": name, "time": time} for name, time in names
    ]
    assert list(first) == []
    assert [(it.tag, it.attrib) for it in second] == [
        ("failure", {"message": "nobody came", "type": "test_x"})
    ]
    assert second[0].text == "nobody came\n\nnobody came\nback"
    assert [(it.tag, it.attrib, it.text) for it in third] == [
        ("skipped", {"message": "no relays", "type": "test_x"}, "no relays")
    ]


def test_it_is_a_whole_document_that_people_can_read() -> None:
    text = render_junit(small_gate())
    assert text.startswith("<?xml version='1.0' encoding=") and text.endswith("</testsuites>\n")
    assert '\n    <testcase classname="gate.tests.test_x"' in text


def test_a_case_that_passed_says_what_there_is_to_say_elsewhere() -> None:
    tests = (case("test_a"), GateCase("acceptance/test_x.py::test_b", PASSED, 0.0, "by \x07 luck"))
    root = ElementTree.fromstring(render_junit(judge_gate(make_side(tests=tests))))
    assert [it.findtext("system-out") for it in root[1]] == [None, "by  luck"]


def test_a_failure_names_its_file_beside_its_message(tmp_path: Path) -> None:
    (tmp_path / "candidate").mkdir()
    (tmp_path / "candidate" / "tests.log").write_text("words")
    root = ElementTree.fromstring(render_junit(small_gate(), folder=tmp_path))
    log = tmp_path / "candidate" / "tests.log"
    assert [it.findtext("system-out") for it in root[1]] == [
        None,
        f"[[ATTACHMENT|{log}]]",
        f"[[ATTACHMENT|{log}]]",
    ]


def test_a_flaky_test_says_why_and_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "candidate").mkdir()
    log = tmp_path / "candidate" / "tests.log"
    log.write_text("words")
    tests = (case("test_a", CaseOutcome.FLAKY, "late"),)
    gate = Gate(GateVerdict.PASS, "r", Side("candidate", "x", tests=tests))
    root = ElementTree.fromstring(render_junit(gate, folder=tmp_path))
    assert [it.findtext("system-out") for it in root[1]] == [f"late\n[[ATTACHMENT|{log}]]"]


def bodies(text: str) -> list[str | None]:
    return [it.text for it in ElementTree.fromstring(text)[1].iter("failure")]


def test_long_bodies_are_cut_and_say_so() -> None:
    def of(length: int) -> Gate:
        side = Side("candidate", "x", tests=(case("test_a", FAILED, "x" * length),))
        return Gate(GateVerdict.PASS, "r", side)

    assert bodies(render_junit(of(20_000))) == ["x" * 20_000]
    assert bodies(render_junit(of(20_001))) == ["x" * 20_000 + "\n... cut; gate.json has all of it"]


def test_a_report_that_is_too_large_has_shorter_bodies_and_then_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests = (case("test_a", FAILED, "x" * 5000), case("test_b", FAILED, "y" * 500))
    gate = Gate(GateVerdict.PASS, "r", Side("candidate", "x", tests=tests))
    cut = "\n... cut; gate.json has all of it"
    sizes = []
    for lengths in ((5000, 500), (1000, 500), (0, 0)):
        text = render_junit(gate)
        sizes.append(len(text.encode()))
        expected = [
            letter * length + (cut if length < whole else "")
            for letter, length, whole in zip("xy", lengths, (5000, 500), strict=True)
        ]
        assert bodies(text) == expected
        # As large as it is allowed to be.
        monkeypatch.setattr(junit, "MOST_BYTES", sizes[-1])
        assert render_junit(gate) == text
        monkeypatch.setattr(junit, "MOST_BYTES", sizes[-1] - 1)
    assert len(render_junit(gate).encode()) == sizes[-1]
