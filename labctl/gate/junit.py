"""JUnit's XML, in and out: what pytest writes about the suite, and what the gate hands to CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from labctl.errors import LabError
from labctl.gate.model import Case, Finding, Gate, Outcome, Severity, Word

# What XML 1.0 cannot hold; terminals' colours are among it.
_FORBIDDEN = re.compile(r"\x1b\[[0-9;]*m|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_junit(text: str) -> list[Case]:
    """The tests in pytest's report, by node id.  Errors: LabError where it is no such report."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise LabError(f"The report of the acceptance suite is damaged: {error}.") from error
    worst: dict[str, Case] = {}
    for case in map(_case, root.iter("testcase")):
        # A test that fails and then fails to clean up is there twice.
        known = worst.get(case.name)
        if known is None or case.outcome is Outcome.FAILED:
            worst[case.name] = case
    return list(worst.values())


def load_junit(path: Path) -> list[Case]:
    """The tests in a file; none where pytest did not get so far as to write it."""
    return parse_junit(path.read_text(encoding="utf-8")) if path.is_file() else []


def _case(element: ElementTree.Element) -> Case:
    module, name = element.get("classname", ""), element.get("name", "")
    nodeid = f"{module.replace('.', '/')}.py::{name}"
    seconds = float(element.get("time") or 0)
    for tag, outcome in (
        ("failure", Outcome.FAILED),
        ("error", Outcome.FAILED),
        ("skipped", Outcome.SKIPPED),
    ):
        found = element.find(tag)
        if found is not None:
            message = found.get("message") or (found.text or "").strip()
            # An expected failure is what a test says of upstream's weakness today.
            if tag == "skipped" and found.get("type") == "pytest.xfail":
                return Case(nodeid, Outcome.PASSED, seconds, message)
            return Case(nodeid, outcome, seconds, message)
    return Case(nodeid, Outcome.PASSED, seconds)


def render_junit(gate: Gate) -> str:
    """The gate as JUnit: the candidate's tests and drills, and one case per other finding."""
    root = ElementTree.Element("testsuites", name="labctl gate")
    _suite(root, "verdict", [_verdict(gate)])
    known = {finding.subject: finding for finding in gate.findings if finding.area == "tests"}
    _suite(root, "tests", (_as_case(each, known) for each in gate.candidate.tests or ()))
    known = {finding.subject: finding for finding in gate.findings if finding.area == "drills"}
    _suite(root, "drills", (_as_case(each, known) for each in gate.candidate.drills or ()))
    for area in ("timings", "drift", "logs"):
        _suite(root, area, _as_cases(gate.findings, area))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _verdict(gate: Gate) -> Case:
    outcome = {Word.PASS: Outcome.PASSED, Word.FAIL: Outcome.FAILED}.get(gate.word, Outcome.SKIPPED)
    return Case("verdict", outcome, gate.seconds, f"{gate.word}: {gate.reason}")


def _as_case(case: Case, known: dict[str, Finding]) -> Case:
    """A test as the verdict takes it: one that fails on both sides does not fail the candidate."""
    finding = known.get(case.name)
    if finding is None:
        return case
    failed = finding.severity is Severity.FAIL
    outcome = Outcome.FAILED if failed else Outcome.SKIPPED
    return Case(case.name, outcome, case.seconds, finding.text)


def _as_cases(findings: Iterable[Finding], area: str) -> Iterator[Case]:
    for finding in findings:
        if finding.area == area:
            failed = finding.severity is Severity.FAIL
            outcome = Outcome.FAILED if failed else Outcome.SKIPPED
            yield Case(finding.subject, outcome, 0.0, finding.text)


def _suite(root: ElementTree.Element, name: str, cases: Iterable[Case]) -> None:
    found = list(cases)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=f"gate.{name}",
        tests=str(len(found)),
        failures=str(sum(each.outcome is Outcome.FAILED for each in found)),
        skipped=str(sum(each.outcome is Outcome.SKIPPED for each in found)),
        errors="0",
        time=f"{sum(each.seconds for each in found):.3f}",
    )
    for each in found:
        element = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"gate.{name}",
            name=_clean(each.name),
            time=f"{each.seconds:.3f}",
        )
        if each.outcome in (Outcome.FAILED, Outcome.SKIPPED):
            tag = "failure" if each.outcome is Outcome.FAILED else "skipped"
            ElementTree.SubElement(element, tag, message=_clean(each.message))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
