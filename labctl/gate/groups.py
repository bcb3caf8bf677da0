"""Findings as a person reads them: those that say the same of similar things are one group.

`gate.json` has each finding whole; a group has a title, a count, and one example that is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labctl.gate.model import GateFinding, Severity

EXAMPLE_LENGTH = 160
TITLE_LENGTH = 90
_VARIABLE = re.compile(r"\b[0-9a-f]{8,}\b|\d+(?:[.:]\d+)*")


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one area and severity that belong together; there is at least one."""

    area: str
    severity: Severity
    title: str
    findings: tuple[GateFinding, ...]

    @property
    def example(self) -> str:
        """What the first says, cut."""
        return cut(self.findings[0].text, EXAMPLE_LENGTH)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What they are about, each once."""
        return tuple(dict.fromkeys(short_subject(it) for it in self.findings))


def group_findings(findings: Iterable[GateFinding]) -> list[FindingGroup]:
    """The groups: the worst severity first, and in it the order of the findings."""
    found: dict[tuple[Severity, str, str], list[GateFinding]] = {}
    for each in findings:
        found.setdefault((each.severity, each.area, family_of(each)), []).append(each)
    order = list(Severity)
    groups = [
        FindingGroup(area, severity, _title(those), tuple(those))
        for (severity, area, _), those in found.items()
    ]
    return sorted(groups, key=lambda it: order.index(it.severity))


def family_of(finding: GateFinding) -> str:
    """What findings of one area have in common if they belong together."""
    match finding.area:
        case "logs":
            # Source and class; methods of one class say the same thing in stages.
            return finding.subject.partition(".")[0]
        case "drift":
            return f"{finding.subject.partition(' ')[0]} {mask(finding.text)}"
        case "tests" | "contract":
            # One cause fails many tests with one message.
            return mask(finding.text)
        case _:
            return finding.subject


def mask(text: str) -> str:
    """The first line without what differs from case to case."""
    return _VARIABLE.sub("<n>", text.partition("\n")[0])


def short_subject(finding: GateFinding) -> str:
    """What a finding is about, without the path of a test's file, cut."""
    return cut(finding.subject.rpartition("::")[2], TITLE_LENGTH)


def _title(findings: Sequence[GateFinding]) -> str:
    first = short_subject(findings[0])
    more = len({it.subject for it in findings}) - 1
    return f"{first} and {more} more" if more else first


def cut(text: str, length: int) -> str:
    """The first line, no longer than `length` characters."""
    line, _, rest = text.partition("\n")
    if len(line) > length:
        return line[: length - 2].rstrip() + " …"
    return f"{line} …" if rest.strip() else line
