"""JUnit's XML, in and out: what pytest writes about the suite, and what the gate hands to CI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from labctl.core.errors import LabError
from labctl.gate.cicases import CiCase, CiSuite, suites_of, total
from labctl.gate.model import CaseOutcome, Gate, GateCase

# What XML 1.0 cannot hold; terminals' colours are among it.
_FORBIDDEN = re.compile(r"\x1b\[[0-9;]*m|[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MOST_BYTES = 25_000_000
"""GitLab reads files of less than 30 MB."""
LONGEST_BODY = 20_000
"""Characters; parsers of XML refuse very long texts."""
_TAGS: Mapping[CaseOutcome, str] = {
    CaseOutcome.PASSED: "",
    CaseOutcome.FAILED: "failure",
    CaseOutcome.FLAKY: "",
    CaseOutcome.SKIPPED: "skipped",
}


def parse_junit(text: str) -> list[GateCase]:
    """The tests in pytest's report, by node id.  Errors: LabError if it is not such a report."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise LabError(f"The report of the acceptance suite is damaged: {error}.") from error
    worst: dict[str, GateCase] = {}
    for case in map(_case, root.iter("testcase")):
        # A test that fails and then fails to clean up is there twice.
        known = worst.get(case.name)
        if known is None or case.outcome is CaseOutcome.FAILED:
            worst[case.name] = case
    return list(worst.values())


def load_junit(path: Path) -> list[GateCase]:
    """The tests in a file; none if pytest did not come far enough to write it."""
    return parse_junit(path.read_text(encoding="utf-8")) if path.is_file() else []


def _case(element: ElementTree.Element) -> GateCase:
    module, name = element.get("classname", ""), element.get("name", "")
    nodeid = f"{module.replace('.', '/')}.py::{name}"
    seconds = float(element.get("time") or 0)
    for tag, outcome in (
        ("failure", CaseOutcome.FAILED),
        ("error", CaseOutcome.FAILED),
        ("skipped", CaseOutcome.SKIPPED),
    ):
        found = element.find(tag)
        if found is not None:
            message = found.get("message") or (found.text or "").strip()
            # An expected failure is what a test says of upstream's weakness today.
            if tag == "skipped" and found.get("type") == "pytest.xfail":
                return GateCase(nodeid, CaseOutcome.PASSED, seconds, message)
            return GateCase(nodeid, outcome, seconds, message)
    return GateCase(nodeid, CaseOutcome.PASSED, seconds)


def render_junit(gate: Gate, *, folder: Path | None = None) -> str:
    """The gate as JUnit's XML, in the form that the schema of Jenkins' xunit plugin describes.

    `folder` is the report's, whose files cases refer to.  A report that would be too large for CI
    has shorter bodies.
    """
    suites = suites_of(gate, folder=folder)
    text = _render(suites, seconds=gate.seconds, longest=LONGEST_BODY)
    for longest in (1000, 0):
        if len(text.encode()) <= MOST_BYTES:
            break
        text = _render(suites, seconds=gate.seconds, longest=longest)
    return text


def _render(suites: Sequence[CiSuite], *, seconds: float, longest: int) -> str:
    root = ElementTree.Element(
        "testsuites",
        name="labctl gate",
        tests=str(sum(len(suite.cases) for suite in suites)),
        failures=str(total(suites, CaseOutcome.FAILED)),
        errors="0",
        time=f"{seconds:.3f}",
    )
    for suite in suites:
        _suite(root, suite, longest=longest)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ElementTree.Element, suite: CiSuite, *, longest: int) -> None:
    element = ElementTree.SubElement(
        root,
        "testsuite",
        name=suite.name,
        tests=str(len(suite.cases)),
        failures=str(suite.count(CaseOutcome.FAILED)),
        skipped=str(suite.count(CaseOutcome.SKIPPED)),
        errors="0",
        time=f"{sum(each.seconds for each in suite.cases):.3f}",
    )
    for case in suite.cases:
        _testcase(element, case, longest=longest)


def _testcase(suite: ElementTree.Element, case: CiCase, *, longest: int) -> None:
    element = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(case.classname),
        name=_clean(case.name),
        time=f"{case.seconds:.3f}",
    )
    body = _clean(case.body)
    if len(body) > longest:
        body = f"{body[:longest]}\n... cut; gate.json has all of it"
    tag = _TAGS[case.outcome]
    if tag:
        kind = case.classname.rpartition(".")[2]
        told = ElementTree.SubElement(element, tag, message=_clean(case.message), type=kind)
        told.text = body
    said = [] if tag or not body.strip() else [body]
    said += [f"[[ATTACHMENT|{_clean(case.attachment)}]]"] if case.attachment else []
    if said:
        ElementTree.SubElement(element, "system-out").text = "\n".join(said)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
