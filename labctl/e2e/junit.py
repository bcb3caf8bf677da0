"""A run of a suite as JUnit's XML: a suite for each spec, a case for each of its tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never
from xml.etree import ElementTree

from labctl.report.e2e import AttemptRecord, CaseOutcome, CaseRecord, E2eRecord, SpecRecord

# What XML 1.0 cannot hold.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(record: E2eRecord) -> str:
    """The last run of every spec; what failed before it is told in the suite's output.

    A case has its spec as class name, with a dot where the spec has a slash."""
    root = ElementTree.Element("testsuites", name="labctl e2e")
    for spec in record.specs:
        _add_suite(root, spec)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(root: ElementTree.Element, spec: SpecRecord) -> None:
    cases = list(_cases(spec))
    counts = {outcome: sum(case.outcome is outcome for case in cases) for outcome in CaseOutcome}
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=spec.name,
        tests=str(len(cases)),
        failures=str(counts[CaseOutcome.FAILED]),
        skipped=str(counts[CaseOutcome.SKIPPED]),
        errors="0",
        time=f"{spec.seconds:.3f}",
    )
    for case in cases:
        _add_case(suite, case, classname=f"e2e.{spec.name.replace('/', '.')}")
    if said := "\n".join(_said(spec)):
        ElementTree.SubElement(suite, "system-out").text = _clean(said)


def _cases(spec: SpecRecord) -> Iterator[CaseRecord]:
    """The tests of the last run; the spec itself, if it was not run or failed as a whole."""
    if spec.last is None:
        yield CaseRecord(spec.name, CaseOutcome.SKIPPED, message=spec.reason)
        return
    yield from spec.last.cases
    if spec.last.problem:
        yield CaseRecord("the spec as a whole", CaseOutcome.FAILED, message=spec.last.problem)


def _said(spec: SpecRecord) -> Iterator[str]:
    """Failures that did not count, and where files are, as Jenkins and GitLab read it."""
    for attempt in spec.attempts[:-1]:
        yield f"failed and was run again: {attempt.message} {attempt.disturbed}".rstrip()
    failed: AttemptRecord | None = spec.failure
    for name in failed.files if failed is not None else ():
        yield f"[[ATTACHMENT|{name}]]"


def _add_case(suite: ElementTree.Element, case: CaseRecord, *, classname: str) -> None:
    element = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_clean(classname),
        name=_clean(case.title),
        time=f"{case.seconds:.3f}",
    )
    match case.outcome:
        case CaseOutcome.PASSED:
            return
        case CaseOutcome.SKIPPED:
            ElementTree.SubElement(element, "skipped", message=_clean(case.message))
        case CaseOutcome.FAILED:
            message = case.message.partition("\n")[0]
            failure = ElementTree.SubElement(element, "failure", message=_clean(message))
            failure.text = _clean(case.detail or case.message)
        case _:
            assert_never(case.outcome)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
