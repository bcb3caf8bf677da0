"""GitHub Actions: annotations of a run, and the job's summary.

An annotation is a line of output, `::error title=T::text`.  GitHub shows ten of each level a step,
and refuses a summary of more than 1 MiB
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labctl.gate.groups import FindingGroup, group_findings
from labctl.gate.model import Gate, GateVerdict, Severity, Side
from labctl.gate.packagetext import change_text
from labctl.gate.report import parts_text, sides_of, version_text

MOST_ANNOTATIONS = 10
MOST_SUMMARY_BYTES = 1_000_000
LEVELS = {
    Severity.FAIL: "error",
    Severity.UNDECIDED: "warning",
    Severity.ATTENTION: "warning",
    Severity.INFO: "notice",
}
MARKS = {GateVerdict.PASS: "✅", GateVerdict.FAIL: "❌", GateVerdict.NOT_JUDGED: "⚠️"}
HEADINGS = {
    Severity.FAIL: "What decided",
    Severity.UNDECIDED: "Could not be judged on this machine",
    Severity.ATTENTION: "To look at",
    Severity.INFO: "To know",
}


def render_annotations(gate: Gate) -> list[str]:
    """The lines to print: the verdict, then groups of findings, those that decide first."""
    level = {
        GateVerdict.PASS: "notice",
        GateVerdict.FAIL: "error",
        GateVerdict.NOT_JUDGED: "warning",
    }[gate.word]
    lines = [(level, f"labctl gate: {gate.word}", gate.reason)]
    for group in group_findings(gate.findings):
        count = f" ({len(group.findings)})" if len(group.findings) > 1 else ""
        lines.append((LEVELS[group.severity], f"{group.area}: {group.title}{count}", group.example))
    found: list[str] = []
    for kind in ("error", "warning", "notice"):
        mine = [each for each in lines if each[0] == kind]
        shown = mine if len(mine) <= MOST_ANNOTATIONS else mine[: MOST_ANNOTATIONS - 1]
        found += [_annotation(*each) for each in shown]
        if len(mine) > len(shown):
            text = f"{len(mine) - len(shown)} more are in the gate's report"
            found.append(_annotation(kind, "labctl gate", text))
    return found


def _annotation(level: str, title: str, text: str) -> str:
    name = _escaped(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def render_summary(gate: Gate) -> str:
    """The summary as Markdown, whole sections left out from the end where it would be too large."""
    text = ""
    for section in map("\n".join, _sections(gate)):
        if len((text + section).encode()) > MOST_SUMMARY_BYTES:
            return f"{text}\n\nThe rest is in the gate's report.\n"
        text = f"{text}\n\n{section}" if text else section
    return text + "\n"


def _sections(gate: Gate) -> Iterator[list[str]]:
    sides = sides_of(gate)
    yield [f"## {MARKS[gate.word]} {_cell(str(gate.word).upper())}: {_cell(gate.reason)}"]
    if gate.stand_ins:
        names = ", ".join(gate.stand_ins)
        yield [f"**Stand-ins, which are not Jitsi's software:** {_cell(names)}"]
    packages = sorted({name for side in sides for name in side.packages})
    yield _table(sides, [(it, [version_text(side, it) for side in sides]) for it in packages])
    yield _table(sides, [(row.label, row.cells) for row in parts_text(gate)])
    if gate.timings:
        yield [
            "| seconds | " + " | ".join(side.label for side in sides) + " | judged |",
            "|---|" + "---|" * (len(sides) + 1),
            *(
                f"| {timing.phase} | {' | '.join(side.text for side in timing.sides)}"
                f"{' | -' * (len(sides) - len(timing.sides))} | {timing.verdict} |"
                for timing in gate.timings
            ),
        ]
    groups = group_findings(gate.findings)
    for severity, heading in HEADINGS.items():
        mine = [each for each in groups if each.severity is severity]
        if mine:
            yield [f"### {heading}", "", *(_group(each) for each in mine)]
    changes = [each for each in gate.changes if not each.same]
    if changes:
        yield ["### What changed in the packages", "", *(f"- {change_text(it)}" for it in changes)]


def _table(sides: Sequence[Side], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    return [
        "| | " + " | ".join(side.label for side in sides) + " |",
        "|---|" + "---|" * len(sides),
        *(f"| {_cell(label)} | {' | '.join(map(_cell, cells))} |" for label, cells in rows),
    ]


def _group(group: FindingGroup) -> str:
    count = f" ({len(group.findings)})" if len(group.findings) > 1 else ""
    return f"- **{_cell(group.area)}: {_cell(group.title)}**{count}: {_cell(group.example)}"


def _cell(text: str) -> str:
    """Text that Markdown and its tables leave alone."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]|":
        escaped = escaped.replace(mark, f"&#{ord(mark)};")
    return " ".join(escaped.split())
