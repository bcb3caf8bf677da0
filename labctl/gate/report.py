"""The gate's outcome for people: one screen, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.gate.junit import render_junit
from labctl.gate.model import Case, Finding, Gate, Outcome, Severity, Side, Trouble

SHOWN_FINDINGS = 8
SHOWN_EVIDENCE = 14
WIDTH = 110
CELL = 36

MARKS = {Severity.FAIL: "FAIL", Severity.ATTENTION: "look", Severity.INFO: "note"}

__all__ = ["render_junit", "render_text"]


def render_text(gate: Gate, *, folder: Path) -> str:
    """Verdict, packages, what was tried, timings, findings, where the rest is."""
    lines = [_verdict(gate), ""]
    lines += _packages(gate)
    lines += _counts(gate)
    lines += _timings(gate.timings)
    for side in (gate.baseline, gate.candidate):
        if side is not None and side.trouble is not None:
            lines += _trouble(side, side.trouble)
    lines += _findings(gate.findings)
    lines += ["", f"Report: {folder}"]
    return "\n".join(line[:WIDTH].rstrip() for line in lines)


def _verdict(gate: Gate) -> str:
    allowed = "  WITH STAND-INS, which are not Jitsi's software" if gate.stand_ins else ""
    return f"{str(gate.word).upper()}: {gate.reason} ({gate.seconds:.0f} s).{allowed}"


def _sides(gate: Gate) -> list[Side]:
    return [side for side in (gate.candidate, gate.baseline) if side is not None]


def _packages(gate: Gate) -> Iterator[str]:
    sides = _sides(gate)
    yield f"{'':<25}" + "".join(
        f"{side.label} {side.source}"[: CELL - 2].ljust(CELL) for side in sides
    )
    names = sorted({name for side in sides for name in side.packages})
    for name in names:
        yield f"  {name:<23}" + "".join(_version(side, name).ljust(CELL) for side in sides)


def _version(side: Side, name: str) -> str:
    mark = " STAND-IN" if name in side.stand_ins else ""
    return f"{side.packages.get(name, '-')}{mark}"[: CELL - 2]


def _counts(gate: Gate) -> Iterator[str]:
    sides = _sides(gate)
    yield f"  {'tests':<23}" + "".join(
        _count(side, "tests", side.tests).ljust(CELL) for side in sides
    )
    yield f"  {'drills':<23}" + "".join(
        _count(side, "drills", side.drills).ljust(CELL) for side in sides
    )
    yield f"  {'drift':<23}" + "".join(
        _lines(side, "drift", side.drift).ljust(CELL) for side in sides
    )
    yield f"  {'warnings and errors':<23}" + "".join(
        _lines(side, "logs", side.logs, of="templates").ljust(CELL) for side in sides
    )


def _count(side: Side, part: str, cases: Sequence[Case] | None) -> str:
    if cases is None:
        return _not_tried(side, part)
    counts = {outcome: sum(case.outcome is outcome for case in cases) for outcome in Outcome}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def _lines(side: Side, part: str, lines: Sequence[Any] | None, *, of: str = "differences") -> str:
    return _not_tried(side, part) if lines is None else f"{len(lines)} {of}"


def _not_tried(side: Side, part: str) -> str:
    return f"not tried: {side.not_tried.get(part, 'it did not come to that')}"[: CELL - 2]


def _timings(timings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for timing in timings:
        cells = [_cell(timing[label]) for label in ("candidate", "baseline") if timing[label]]
        verdict = f"  {timing['verdict']}" if timing["baseline"] else ""
        yield (
            f"  {timing['phase'] + ', seconds':<23}"
            + "".join(c.ljust(CELL) for c in cells)
            + verdict
        )


def _cell(summary: Mapping[str, Any]) -> str:
    count = len(summary["runs"])
    noise = f" ({summary['least']:.1f}-{summary['most']:.1f}, {count} runs)" if count > 1 else ""
    return f"{summary['median']:.1f}{noise}"


def _trouble(side: Side, trouble: Trouble) -> Iterator[str]:
    yield ""
    who = f", package '{trouble.package}'" if trouble.package else ""
    yield f"The {side.label} failed in phase '{trouble.phase}'{who}:"
    yield from (f"  {line}" for line in trouble.message.splitlines()[:SHOWN_EVIDENCE])
    yield from (f"  {line}" for line in trouble.evidence[:SHOWN_EVIDENCE])
    if trouble.hint:
        yield f"  Hint: {trouble.hint}"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield ""
    for finding in findings[:SHOWN_FINDINGS]:
        subject = finding.subject.rpartition("::")[2]
        yield f"  {MARKS[finding.severity]}  {finding.area}: {subject}: {finding.text}"
    if len(findings) > SHOWN_FINDINGS:
        yield f"  ... and {len(findings) - SHOWN_FINDINGS} more in gate.json"
