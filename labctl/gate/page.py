"""The gate as one HTML page, without outside resources and without scripts.

The first screen says what was decided and why, with the packages and the timings of both sides;
then come findings in groups, and everything else is folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.gate.groups import FindingGroup, cut, group_findings
from labctl.gate.measures import Resource, SlopeVerdict, Soak
from labctl.gate.model import Gate, GateVerdict, LogTemplate, Severity, Side
from labctl.gate.packagetext import change_text
from labctl.gate.pairplot import draw_pairs
from labctl.gate.report import Row, load_text, parts_text, sides_of, version_text
from labctl.gate.resources import render_spread, spread_of, units_in
from labctl.gate.soak import render_slope
from labctl.gate.timing import Timing
from labctl.report.page import page_environment

# report.css knows the classes of a verified lab's three verdicts; the gate's have other names.
CLASSES = {
    GateVerdict.PASS: "passed",
    GateVerdict.FAIL: "failed",
    GateVerdict.NOT_JUDGED: "incomplete",
}
TITLES = {
    Severity.FAIL: "What decided",
    Severity.UNDECIDED: "Could not be judged on this machine",
    Severity.ATTENTION: "To look at",
    Severity.INFO: "To know",
}
WHY = 4
"""Groups of findings that the first screen names."""
SHOWN_FINDINGS = 40
"""Findings of one group that the page has; gate.json has all."""
SHOWN_PATHS = 60


@dataclass(frozen=True, slots=True)
class PackageRow:
    """A package, its version on each side, and what changed in it in a few words."""

    name: str
    versions: tuple[str, ...]
    change: str


@dataclass(frozen=True, slots=True)
class TimingRow:
    """A figure, its runs on each side, the verdict, and the differences pair by pair."""

    label: str
    cells: tuple[str, ...]
    verdict: str
    pairs: str


def render_page(gate: Gate) -> str:
    """The whole page; every text in it is escaped, drawings excepted, which escape theirs."""
    sides = sides_of(gate)
    groups = group_findings(gate.findings)
    deciding = (Severity.FAIL, Severity.ATTENTION) if gate.strict else (Severity.FAIL,)
    why = [each for each in groups if each.severity in (*deciding, Severity.UNDECIDED)]
    environment = page_environment()
    environment.filters |= {"cut": cut}
    return environment.get_template("gate.html.j2").render(
        gate=gate,
        look=CLASSES[gate.word],
        sentence=f"{gate.reason} ({gate.seconds:.0f} s)",
        sides=sides,
        why=why[:WHY],
        more=len(why) - len(why[:WHY]),
        packages=_packages(gate),
        parts=parts_text(gate),
        picture=draw_pairs(gate.timings),
        timings=[_timing(item) for item in gate.timings],
        findings=_by_severity(groups),
        shown=SHOWN_FINDINGS,
        most_paths=SHOWN_PATHS,
        resources=_resources(sides),
        slopes=_slopes(sides),
        short=any(it.soak and _unclear(it.soak) for it in sides),
        known=_known(gate.candidate.logs or ()),
        loads=_loads(sides),
    )


def _packages(gate: Gate) -> list[PackageRow]:
    sides = sides_of(gate)
    changes = {change.name: change_text(change) for change in gate.changes}
    names = sorted({*changes, *(name for side in sides for name in side.packages)})
    rows = []
    for name in names:
        # Debian's own packages are not looked into.
        known = all(name in (side.contents or {}) for side in sides)
        versions = tuple(_version(side, name) for side in sides)
        change = changes.get(name, "nothing" if known else "").removeprefix(f"{name}: ")
        if not known and not change and len(set(versions)) > 1:
            change = "the version"
        rows.append(PackageRow(name, versions, change))
    return rows


def _version(side: Side, name: str) -> str:
    contents = (side.contents or {}).get(name)
    if name not in side.packages and contents is not None:
        return contents.version
    return version_text(side, name)


def _by_severity(
    groups: Sequence[FindingGroup],
) -> list[tuple[str, int, list[tuple[str, list[FindingGroup]]]]]:
    """Title, number of findings, and the groups by area."""
    found = []
    for severity, title in TITLES.items():
        mine = [each for each in groups if each.severity is severity]
        areas = dict.fromkeys(each.area for each in mine)
        by_area = [(area, [it for it in mine if it.area == area]) for area in areas]
        if mine:
            found.append((title, sum(len(it.findings) for it in mine), by_area))
    return found


def _timing(timing: Timing) -> TimingRow:
    verdict = str(timing.verdict) if timing.baseline else ""
    cells = tuple(side.text for side in timing.sides)
    return TimingRow(timing.phase, cells, verdict, timing.pair_by_pair)


def _resources(sides: Sequence[Side]) -> list[Row]:
    """What each service had during the tests, on each side."""
    units = sorted({unit for side in sides for unit in units_in(side.resources or ())})
    rows = []
    for unit in units:
        for resource in Resource:
            spreads = [spread_of(side.resources or (), unit, resource) for side in sides]
            if any(spreads):
                cells = (render_spread(it, resource) if it else "-" for it in spreads)
                rows.append(Row(f"{unit}: {resource}", tuple(cells)))
    return rows


def _slopes(sides: Sequence[Side]) -> list[Row]:
    """How much each service grew an hour in the leak run."""
    known = [
        {(it.unit, it.resource): it for it in (side.soak.slopes if side.soak else ())}
        for side in sides
    ]
    keys = dict.fromkeys(key for side in known for key in side)
    return [
        Row(
            f"{unit}: {resource}",
            tuple(
                f"{render_slope(side[unit, resource])}, {side[unit, resource].verdict}"
                if (unit, resource) in side
                else "-"
                for side in known
            ),
        )
        for unit, resource in keys
    ]


def _unclear(soak: Soak) -> bool:
    return any(it.verdict is SlopeVerdict.UNCLEAR for it in soak.slopes)


def _known(logs: Sequence[LogTemplate]) -> list[LogTemplate]:
    """Kinds of lines that somebody has judged."""
    return [each for each in logs if each.reason]


def _loads(sides: Sequence[Side]) -> list[Row]:
    """What was measured of others, run by run."""
    rows = [Row("processors lost to others", tuple(load_text(side) for side in sides))]
    for number in range(max(len(side.ups) for side in sides)):
        cells = tuple(_run_load(side, number) for side in sides)
        rows.append(Row(f"run {number + 1}", cells))
    return rows


def _run_load(side: Side, number: int) -> str:
    load = side.ups[number].load if number < len(side.ups) else None
    if load is None:
        return "-"
    how = "" if load.measured else " (by the load average)"
    text = f"others {load.others:.0%}{how}, steal {load.steal:.0%}"
    return text if load.pressure is None else f"{text}, pressure {load.pressure:.0%}"
