"""The gate as suites of cases for CI: unique short names, a line of message, details in the body.

Consumers match cases of two builds by (classname, name): names are the same whenever the finding
is, so they hold no figures.  GitLab ignores a case whose name another one has, reads files of less
than 30 MB, and links one attachment of a case by its path
(https://docs.gitlab.com/ci/testing/unit_test_reports)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.gate.groups import cut, mask
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    Severity,
    Trouble,
)
from labctl.gate.symptoms import PACKAGES, UPGRADE, package_cases

NAME_LENGTH, MESSAGE_LENGTH = 100, 200
AREAS = (UPGRADE, "timings", "media", "resources", "soak", "drift", "logs")
"""Areas that have a suite even if nothing was found in them; others follow."""
FILES: Mapping[str, str] = {
    "tests": "tests.log",
    "drills": "drills.json",
    "contract": "contract.json",
    "drift": "drift.json",
    "e2e": "e2e.html",
}
"""What a case of an area has as an attachment, in the candidate's folder."""


@dataclass(frozen=True, slots=True)
class CiCase:
    """A case: `message` is one line, `body` everything; `attachment` is a path or empty."""

    classname: str
    name: str
    outcome: CaseOutcome
    seconds: float = 0.0
    message: str = ""
    body: str = ""
    attachment: str = ""


@dataclass(frozen=True, slots=True)
class CiSuite:
    """Cases of one area."""

    name: str
    cases: tuple[CiCase, ...]

    def count(self, outcome: CaseOutcome) -> int:
        """How many cases came out so."""
        return sum(each.outcome is outcome for each in self.cases)


def suites_of(gate: Gate, *, folder: Path | None = None) -> list[CiSuite]:
    """All suites, the verdict first.  Attachments are files that are in `folder`, if it is given.

    A test or drill is there as the verdict counts it: one that fails on both sides is skipped.
    """
    found = [CiSuite("gate.verdict", (_verdict(gate),))]
    tried = {
        "tests": gate.candidate.tests,
        "drills": gate.candidate.drills,
        "contract": gate.candidate.contract,
        PACKAGES: tuple(package_cases(gate.candidate)),
    }
    if gate.candidate.e2e is not None:
        tried["e2e"] = gate.candidate.e2e
    for area, cases in tried.items():
        found.append(_suite(area, _judged(gate, area, cases or ()), folder=folder))
    areas = dict.fromkeys((*AREAS, *(each.area for each in gate.findings)))
    for area in (each for each in areas if each not in tried):
        findings = [each for each in gate.findings if each.area == area]
        found.append(_suite(area, (_case(gate, each) for each in findings), folder=folder))
    return found


def _verdict(gate: Gate) -> CiCase:
    outcome = {
        GateVerdict.PASS: CaseOutcome.PASSED,
        GateVerdict.FAIL: CaseOutcome.FAILED,
        GateVerdict.NOT_JUDGED: CaseOutcome.SKIPPED,
    }[gate.word]
    message = f"{gate.word}: {gate.reason}"
    troubles = [side.trouble for side in (gate.candidate, gate.baseline) if side is not None]
    body = "\n\n".join([message, *(_tell(each) for each in troubles if each is not None)])
    return CiCase("gate", "verdict", outcome, gate.seconds, cut(message, MESSAGE_LENGTH), body)


def _tell(trouble: Trouble) -> str:
    who = f" ({trouble.package})" if trouble.package else ""
    hint = [f"Hint: {trouble.hint}"] if trouble.hint else []
    lines = [f"phase '{trouble.phase}'{who}: {trouble.message}", *trouble.evidence, *hint]
    return "\n".join(lines)


def _judged(gate: Gate, area: str, cases: Iterable[GateCase]) -> Iterator[CiCase]:
    """The cases that ran, each with what was found about it, and findings about others."""
    known = {each.subject: each for each in gate.findings if each.area == area}
    for case in cases:
        finding = known.pop(case.name, None)
        if finding is None:
            yield replace(_named(area, case.name), outcome=case.outcome, seconds=case.seconds,
                          message=cut(case.message, MESSAGE_LENGTH), body=case.message)  # fmt: skip
        else:
            body = f"{finding.text}\n\n{case.message}".strip()
            yield replace(_case(gate, finding), seconds=case.seconds, body=body)
    yield from (_case(gate, each) for each in known.values())


def _case(gate: Gate, finding: GateFinding) -> CiCase:
    return replace(
        _named(finding.area, finding.subject),
        outcome=_outcome(gate, finding.severity),
        message=cut(finding.text, MESSAGE_LENGTH),
        body=f"{finding.subject}\n{finding.text}",
    )


def _outcome(gate: Gate, severity: Severity) -> CaseOutcome:
    failing = (Severity.FAIL, Severity.ATTENTION) if gate.strict else (Severity.FAIL,)
    if severity in failing:
        return CaseOutcome.FAILED
    return CaseOutcome.PASSED if severity is Severity.INFO else CaseOutcome.SKIPPED


def _named(area: str, subject: str) -> CiCase:
    """A case with its names; a test's file is a part of the class."""
    file, _, name = subject.rpartition("::")
    module = Path(file).stem
    classname = f"gate.{area}.{module}" if module else f"gate.{area}"
    return CiCase(classname, " ".join(name.split()), CaseOutcome.PASSED)


def _suite(area: str, cases: Iterable[CiCase], *, folder: Path | None) -> CiSuite:
    """Cases whose names are too long, or not theirs alone, get a few digits of what they are."""
    found = list(cases)
    names = [(each.classname, each.name) for each in found]
    taken: set[tuple[str, str]] = set()
    renamed = []
    for case, key in zip(found, names, strict=True):
        name = case.name
        if len(name) > NAME_LENGTH or names.count(key) > 1:
            digest = hashlib.sha256(f"{name}\n{mask(case.message)}".encode()).hexdigest()[:6]
            name = f"{name[: NAME_LENGTH - 9].rstrip()} [{digest}]"
        number = 2
        plain = name
        while (case.classname, name) in taken:
            name, number = f"{plain} {number}", number + 1
        taken.add((case.classname, name))
        attachment = "" if case.outcome is CaseOutcome.PASSED else _attachment(area, folder)
        renamed.append(replace(case, name=name, attachment=attachment))
    return CiSuite(f"gate.{area}", tuple(renamed))


def _attachment(area: str, folder: Path | None) -> str:
    """The path as CI can follow it: GitLab wants it relative to the project's folder."""
    name = FILES.get(area)
    if folder is None or name is None:
        return ""
    file = folder / "candidate" / name
    if not file.is_file():
        return ""
    project = os.environ.get("CI_PROJECT_DIR")
    if project and file.is_relative_to(project):
        return str(file.relative_to(project))
    return str(file)


def total(suites: Sequence[CiSuite], outcome: CaseOutcome) -> int:
    """How many cases of all suites came out so."""
    return sum(suite.count(outcome) for suite in suites)
