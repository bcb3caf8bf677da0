"""The gate's outcome as one HTML page, without outside resources and without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.gate.model import Gate, Severity, Side, Word
from labctl.gate.report import count_text, lines_text, summary_text, version_text
from labctl.report.page import page_environment

# The report's style sheet has three verdicts; the gate's have other names.
CLASSES = {Word.PASS: "passed", Word.FAIL: "failed", Word.NOT_JUDGED: "incomplete"}
TITLES = {
    Severity.FAIL: "What decided",
    Severity.ATTENTION: "To look at",
    Severity.INFO: "To know",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison: what, and a cell per side."""

    label: str
    cells: tuple[str, ...]
    verdict: str = ""


def render_page(gate: Gate) -> str:
    """The whole page; every text in it is escaped."""
    sides = [side for side in (gate.candidate, gate.baseline) if side is not None]
    findings = [
        (title, [each for each in gate.findings if each.severity is severity])
        for severity, title in TITLES.items()
    ]
    return (
        page_environment()
        .get_template("gate.html.j2")
        .render(
            gate=gate,
            look=CLASSES[gate.word],
            sentence=f"{gate.reason} ({gate.seconds:.0f} s)",
            sides=sides,
            packages=_packages(sides),
            parts=_parts(sides),
            timings=[_timing(item) for item in gate.timings],
            findings=[(title, items) for title, items in findings if items],
        )
    )


def _packages(sides: list[Side]) -> list[Row]:
    names = sorted({name for side in sides for name in side.packages})
    return [Row(name, tuple(version_text(side, name) for side in sides)) for name in names]


def _parts(sides: list[Side]) -> list[Row]:
    return [
        Row("tests", tuple(count_text(side, "tests", side.tests) for side in sides)),
        Row("drills", tuple(count_text(side, "drills", side.drills) for side in sides)),
        Row("drift", tuple(lines_text(s, "drift", s.drift, of="differences") for s in sides)),
        Row("warnings and errors", tuple(lines_text(s, "logs", s.logs, of="kinds") for s in sides)),
    ]


def _timing(item: Mapping[str, Any]) -> Row:
    found = [item[label] for label in ("candidate", "baseline") if item[label]]
    verdict = item["verdict"] if item["baseline"] else ""
    return Row(item["phase"], tuple(summary_text(each) for each in found), verdict)
