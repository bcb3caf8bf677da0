"""The gate's outcome for people: one screen, the verdict first."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.gate.certainty import TimingVerdict
from labctl.gate.groups import group_findings
from labctl.gate.junit import render_junit
from labctl.gate.measures import SlopeVerdict
from labctl.gate.media import render_media
from labctl.gate.model import CaseOutcome, Gate, GateCase, GateFinding, Severity, Side, Trouble
from labctl.gate.symptoms import tried_text, upgrade_text
from labctl.gate.timing import Timing

SHOWN_FAILURES = 8
SHOWN_EACH = 3
SHOWN_EVIDENCE = 14
WIDTH = 110
CELL = 28
LABEL = 41

MARKS = {
    Severity.FAIL: "FAIL",
    Severity.UNDECIDED: "open",
    Severity.ATTENTION: "look",
    Severity.INFO: "note",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison: what, and a cell per side."""

    label: str
    cells: tuple[str, ...]


TOLD_IN_PAIRS = (TimingVerdict.SLOWER, TimingVerdict.FASTER, TimingVerdict.UNCLEAR)

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


def sides_of(gate: Gate) -> list[Side]:
    """The candidate, and the baseline if there is one."""
    return [side for side in (gate.candidate, gate.baseline) if side is not None]


def _row(label: str, cells: Sequence[str], *, tail: str = "") -> str:
    """A row of the table; with one side its cell has all the room."""
    if len(cells) == 1:
        return f"  {label:<{LABEL}}{cells[0]}{tail}"
    return f"  {label:<{LABEL}}" + "".join(f"{cell[: CELL - 2]:<{CELL}}" for cell in cells) + tail


def _table(gate: Gate) -> Iterator[str]:
    sides = sides_of(gate)
    yield _row("", [f"{side.label} {side.source}" for side in sides])
    for name in sorted({name for side in sides for name in side.packages}):
        yield _row(name, [version_text(side, name) for side in sides])
    if any(side.tests is not None for side in sides):
        yield from (_row(row.label, row.cells) for row in parts_text(gate))


def parts_text(gate: Gate) -> list[Row]:
    """What was tried on each side, and what came of it."""
    sides = sides_of(gate)

    def row(label: str, cell: Callable[[Side], str]) -> Row:
        return Row(label, tuple(cell(side) for side in sides))

    wanted = any(side.e2e is not None or "e2e" in side.not_tried for side in sides)
    e2e = row("end-to-end suite", lambda side: count_text(side, "e2e", side.e2e))
    return [
        *([row("measured", measured_text)] if any(side.cached for side in sides) else []),
        row("tests", lambda side: count_text(side, "tests", side.tests)),
        row("drills", lambda side: count_text(side, "drills", side.drills)),
        *([e2e] if wanted else []),
        row("contract", lambda side: count_text(side, "contract", side.contract)),
        row("packages", tried_text),
        row("upgrade", upgrade_text),
        row("media", lambda side: render_media(side.media)),
        row("drift", lambda side: lines_text(side, "drift", side.drift, of="differences")),
        row("warnings and errors", logs_text),
        *([row("leak run", soak_text)] if any(side.soak for side in sides) else []),
        row("processors lost to others", load_text),
    ]


def logs_text(side: Side) -> str:
    """How many kinds of lines a side logged, and how many of them nobody has judged."""
    if side.logs is None:
        return _not_tried(side, "logs")
    known = sum(bool(each.reason) for each in side.logs)
    busy = sum(each.load and not each.reason for each in side.logs)
    told = [f"{known} known"] if known else []
    told += [f"{busy} by load"] if busy else []
    return f"{len(side.logs)} kinds" + (f", {', '.join(told)}" if told else "")


def soak_text(side: Side) -> str:
    """How a side's leak run went: calls, and what grew."""
    if side.soak is None:
        return _not_tried(side, "soak")
    soak = side.soak
    growing = [it for it in soak.slopes if it.verdict is SlopeVerdict.GROWS]
    unclear = [it for it in soak.slopes if it.verdict is SlopeVerdict.UNCLEAR]
    failed = f", {soak.failed} failed" if soak.failed else ""
    grown = f"{len(growing)} grow" if growing else "nothing grows"
    told = f", {len(unclear)} unclear" if unclear else ""
    return f"{soak.calls} calls{failed}, {grown}{told}"


def measured_text(side: Side) -> str:
    """When a side was tried: by this gate, or by an earlier one of the same day."""
    return f"{side.cached} (kept)" if side.cached else "now"


def version_text(side: Side, name: str) -> str:
    """A package's version on one side, and whether it is a stand-in."""
    mark = " STAND-IN" if name in side.stand_ins else ""
    return f"{side.packages.get(name, '-')}{mark}"


def count_text(side: Side, part: str, cases: Sequence[GateCase] | None) -> str:
    """How a side's tests or drills came out, or why none was tried."""
    if cases is None:
        return _not_tried(side, part)
    counts = {outcome: sum(case.outcome is outcome for case in cases) for outcome in CaseOutcome}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)


def lines_text(side: Side, part: str, lines: Sequence[object] | None, *, of: str) -> str:
    """How many lines of a kind a side has, or why nobody looked."""
    return _not_tried(side, part) if lines is None else f"{len(lines)} {of}"


def load_text(side: Side) -> str:
    """What others had of the processors in a side's runs, and while its tests ran."""
    lost = sorted(up.load.lost for up in side.ups if up.load is not None)
    if not lost:
        return "not measured"
    tests = "" if side.load is None else f", tests {side.load.lost:.0%}"
    return f"{lost[0]:.0%}-{lost[-1]:.0%}{tests}"


def _not_tried(side: Side, part: str) -> str:
    return f"not tried: {side.not_tried.get(part, 'it did not come to that')}"


def _timings(timings: Iterable[Timing]) -> Iterator[str]:
    for timing in timings:
        verdict = str(timing.verdict) if timing.baseline else ""
        cells = [side.text for side in timing.sides]
        yield _row(f"{timing.phase}, seconds", cells, tail=verdict)
        if timing.verdict in TOLD_IN_PAIRS:
            yield f"    pair by pair: {timing.pair_by_pair}"


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


def _findings(findings: Sequence[GateFinding]) -> Iterator[str]:
    """First the groups that decide, then some of each area, so that none hides another."""
    groups = group_findings(findings)
    deciding = [each for each in groups if each.severity is Severity.FAIL][:SHOWN_FAILURES]
    shown = list(deciding)
    for area in dict.fromkeys(each.area for each in groups):
        rest = [e for e in groups if e.area == area and e.severity is not Severity.FAIL]
        shown += rest[:SHOWN_EACH]
    if shown:
        yield ""
    for group in shown:
        count = f" ({len(group.findings)}x)" if len(group.findings) > 1 else ""
        yield f"  {MARKS[group.severity]}  {group.area}: {group.title}{count}: {group.example}"
    if len(findings) > len(shown):
        yield f"  ... and {len(findings) - len(shown)} more in gate.json"
