"""The gate's outcome for people: one screen, the verdict first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.gate.junit import render_junit
from labctl.gate.model import Case, Finding, Gate, Outcome, Severity, Side, Trouble

SHOWN_FAILURES = 8
SHOWN_EACH = 3
SHOWN_EVIDENCE = 14
WIDTH = 110
CELL = 36
LABEL = 23

MARKS = {Severity.FAIL: "FAIL", Severity.ATTENTION: "look", Severity.INFO: "note"}

__all__ = ["render_junit", "render_text"]


def render_text(gate: Gate, *, folder: Path) -> str:
    """Verdict, packages, what was tried, timings, findings, where the rest is."""
    lines = [_verdict(gate), ""]
    lines += _table(gate)
    lines += _timings(gate.timings)
    for side in (gate.baseline, gate.candidate):
        if side is not None and side.trouble is not None:
            lines += _trouble(side, side.trouble)
    lines += _findings(gate.findings)
    lines += ["", f"Report: {folder}"]
    return "\n".join(part for line in lines for part in _fit(line))


def _fit(line: str) -> list[str]:
    """Evidence is cut, advice is wrapped: its end may be what is to be typed."""
    if line.lstrip().startswith("Hint: "):
        return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False)
    return [line[:WIDTH].rstrip()]


def _verdict(gate: Gate) -> str:
    allowed = "  WITH STAND-INS, which are not Jitsi's software" if gate.stand_ins else ""
    return f"{str(gate.word).upper()}: {gate.reason} ({gate.seconds:.0f} s).{allowed}"


def _sides(gate: Gate) -> list[Side]:
    return [side for side in (gate.candidate, gate.baseline) if side is not None]


def _row(label: str, cells: Sequence[str], *, tail: str = "") -> str:
    """A row of the table; with one side its cell has all the room."""
    if len(cells) == 1:
        return f"  {label:<{LABEL}}{cells[0]}{tail}"
    return f"  {label:<{LABEL}}" + "".join(f"{cell[: CELL - 2]:<{CELL}}" for cell in cells) + tail


def _table(gate: Gate) -> Iterator[str]:
    sides = _sides(gate)
    yield _row("", [f"{side.label} {side.source}" for side in sides])
    for name in sorted({name for side in sides for name in side.packages}):
        yield _row(name, [version_text(side, name) for side in sides])
    for part, texts in (
        ("tests", [count_text(side, "tests", side.tests) for side in sides]),
        ("drills", [count_text(side, "drills", side.drills) for side in sides]),
        ("drift", [lines_text(side, "drift", side.drift, of="differences") for side in sides]),
        (
            "warnings and errors",
            [lines_text(side, "logs", side.logs, of="kinds") for side in sides],
        ),
    ):
        if any(side.tests is not None for side in sides):
            yield _row(part, texts)


def version_text(side: Side, name: str) -> str:
    """A package's version on one side, and whether it is a stand-in."""
    mark = " STAND-IN" if name in side.stand_ins else ""
    return f"{side.packages.get(name, '-')}{mark}"


def count_text(side: Side, part: str, cases: Sequence[Case] | None) -> str:
    """How many of a side's tests or drills came out how, or why none was tried."""
    if cases is None:
        return _not_tried(side, part)
    counts = {outcome: sum(case.outcome is outcome for case in cases) for outcome in Outcome}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def lines_text(side: Side, part: str, lines: Sequence[Any] | None, *, of: str) -> str:
    """How many lines of a kind a side has, or why nobody looked."""
    return _not_tried(side, part) if lines is None else f"{len(lines)} {of}"


def _not_tried(side: Side, part: str) -> str:
    return f"not tried: {side.not_tried.get(part, 'it did not come to that')}"


def _timings(timings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for timing in timings:
        cells = [
            summary_text(timing[label]) for label in ("candidate", "baseline") if timing[label]
        ]
        verdict = timing["verdict"] if timing["baseline"] else ""
        yield _row(f"{timing['phase']}, seconds", cells, tail=verdict)


def summary_text(summary: Mapping[str, Any]) -> str:
    """The median of a phase in seconds, with the least, the most and how often."""
    count = len(summary["runs"])
    noise = f" ({summary['least']:.1f}-{summary['most']:.1f}, {count} runs)" if count > 1 else ""
    return f"{summary['median']:.1f}{noise}"


def _trouble(side: Side, trouble: Trouble) -> Iterator[str]:
    yield ""
    who = f", package '{trouble.package}'" if trouble.package else ""
    verb = "failed" if trouble.packages else "could not be tried"
    yield f"The {side.label} {verb} in phase '{trouble.phase}'{who}:"
    first, *others = trouble.message.splitlines()[:SHOWN_EVIDENCE] or [""]
    yield from textwrap.wrap(first, WIDTH - 4, initial_indent="  ", subsequent_indent="  ")
    yield from (f"  {line}" for line in others)
    yield from (f"  {line}" for line in trouble.evidence[:SHOWN_EVIDENCE])
    if trouble.hint:
        yield f"  Hint: {trouble.hint}"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """What decides first; of the rest some of each area, so that none hides another."""
    deciding = [each for each in findings if each.severity is Severity.FAIL][:SHOWN_FAILURES]
    shown = list(deciding)
    for area in dict.fromkeys(each.area for each in findings):
        rest = [e for e in findings if e.area == area and e.severity is not Severity.FAIL]
        shown += rest[:SHOWN_EACH]
    if shown:
        yield ""
    for finding in shown:
        subject = finding.subject.rpartition("::")[2]
        yield f"  {MARKS[finding.severity]}  {finding.area}: {subject}: {finding.text}"
    if len(findings) > len(shown):
        yield f"  ... and {len(findings) - len(shown)} more in gate.json"
