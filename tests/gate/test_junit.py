"""JUnit in both directions."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from labctl.errors import LabError
from labctl.gate.compare import judge
from labctl.gate.junit import parse_junit, render_junit
from labctl.gate.model import Outcome
from tests.gate.sides import FAILED, SKIPPED, case, make_side

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
        "acceptance/test_ports.py::test_open[jms-5222]": Outcome.PASSED,
        "acceptance/test_ports.py::test_closed[jvb1]": Outcome.FAILED,
        "acceptance/test_brewery.py::test_all": Outcome.FAILED,
        "acceptance/test_config.py::test_relays": Outcome.SKIPPED,
        "acceptance/test_failover.py::test_kill": Outcome.PASSED,
    }
    assert found["acceptance/test_ports.py::test_closed[jvb1]"].message.startswith("Assertion")


def test_half_a_file() -> None:
    with pytest.raises(LabError, match="is damaged"):
        parse_junit(RECORDED[:300])


def test_what_ci_gets() -> None:
    tests = (case("test_a"), case("test_b", FAILED, "colour \x1b[31mred\x1b[0m \x00"))
    gate = judge(make_side(tests=tests), make_side("baseline"))
    root = ElementTree.fromstring(render_junit(gate))
    suites = {suite.get("name"): suite for suite in root}
    assert suites["gate.verdict"].get("failures") == "1"
    assert suites["gate.tests"].get("tests") == "2"
    (failure,) = suites["gate.tests"].iter("failure")
    assert failure.get("message") == "colour red "


def test_failure_on_both_sides_is_no_failure_for_ci() -> None:
    tests = (case("test_a"), case("test_b", FAILED, "as ever"), case("test_c", SKIPPED))
    gate = judge(make_side(tests=tests), make_side("baseline", tests=tests))
    root = ElementTree.fromstring(render_junit(gate))
    assert [suite.get("failures") for suite in root] == ["0"] * 6
