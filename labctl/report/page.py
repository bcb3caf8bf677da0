"""From a report to its one HTML page, without outside resources and without scripts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from labctl.crowd.record import CrowdRecord
from labctl.report.e2e import SpecOutcome
from labctl.report.lines import LogLine
from labctl.report.model import Failure, Report, ReportOutcome, Test
from labctl.report.status import Status
from labctl.report.svg import Bar, Dot, bars, dots, seconds
from labctl.report.timeline import is_worse, view_of
from labctl.report.topologysvg import draw_topology
from labctl.report.verdict import judge_report, packages_kind, verdict_line

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "report"
TONES = 8
SLOWEST = 8

WORDS = {
    ReportOutcome.PASSED: "✓ passed",
    ReportOutcome.FAILED: "✕ failed",
    ReportOutcome.ERROR: "✕ error",
    ReportOutcome.SKIPPED: "– skipped",
    ReportOutcome.XFAILED: "– failed, as expected",
    ReportOutcome.XPASSED: "! passed, unexpectedly",
}
SPEC_WORDS = {
    SpecOutcome.PASSED: "✓ passed",
    SpecOutcome.FAILED: "✕ failed",
    SpecOutcome.FLAKY: "! flaky",
    SpecOutcome.SKIPPED: "– skipped",
    SpecOutcome.NOT_RUN: "– not run",
}


@dataclass(frozen=True, slots=True)
class Package:
    """A package in one version, and the nodes that have it."""

    name: str
    version: str
    stand_in: bool
    nodes: tuple[str, ...]


def page_environment() -> Environment:
    """Where the templates of HTML pages are read: escaping, and strict about names."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": _clock, "moment": _moment, "seconds": seconds}
    return environment


def render_page(report: Report, *, pictures: Mapping[str, str] | None = None) -> str:
    """The report as HTML; every text in it is escaped, drawings excepted, which escape theirs.

    `pictures` are those of the end-to-end suite, as data URLs by path."""
    topology = report.topology
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            e2e=report.e2e,
            spec_words=SPEC_WORDS,
            pictures=pictures or {},
            run=report.run,
            topology=topology,
            verdict=judge_report(report),
            sentence=verdict_line(report),
            kind=packages_kind(report),
            packages=packages_of(report.status),
            picture=draw_topology(topology, status=report.status),
            tones={node.name: index % TONES for index, node in enumerate(topology.nodes)},
            plots=plots_of(report),
            drills=[view_of(drill) for drill in report.drills or ()],
            repeats={part: repeats_of(report.failures, part) for part in ("lines", "before")},
            modules=modules_of(report.run.tests),
            words=WORDS,
            is_worse=is_worse,
            skipped=[it for it in report.run.tests if it.outcome is ReportOutcome.SKIPPED],
        )
    )


def packages_of(status: Status | None) -> list[Package]:
    """Packages of all nodes, a line per version; stand-ins first."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    for node in status.nodes if status else ():
        for name, item in node.packages.items():
            found.setdefault((name, item.version, item.stand_in), []).append(node.name)
    packages = [Package(*key, nodes=tuple(nodes)) for key, nodes in found.items()]
    return sorted(packages, key=lambda it: (not it.stand_in, it.name, it.version))


def modules_of(tests: Sequence[Test]) -> dict[str, list[Test]]:
    """Tests by the file that holds them: `acceptance/test_ports.py` is 'ports'."""
    found: dict[str, list[Test]] = {}
    for test in tests:
        file = test.nodeid.partition("::")[0].rpartition("/")[2]
        found.setdefault(file.removeprefix("test_").removesuffix(".py"), []).append(test)
    return found


def repeats_of(failures: Sequence[Failure], part: str) -> set[int]:
    """Indexes of failures with the same log lines as one before: they are folded."""
    seen: set[tuple[LogLine, ...]] = set()
    found = set()
    for index, failure in enumerate(failures):
        lines = getattr(failure.excerpt, part) if failure.excerpt else ()
        if lines and lines in seen:
            found.add(index)
        seen.add(lines)
    return found


def plots_of(report: Report) -> list[tuple[str, str]]:
    """Captions and drawings of the timings that there are."""
    found = []
    if report.timings is not None:
        phases = report.timings.phases.items()
        rows = [Bar(name, value, seconds(value)) for name, value in phases]
        total = seconds(report.timings.total)
        found.append((f"The last 'labctl up': {total}", bars(rows, title="Phases of up")))
    if report.run.tests:
        caption = "Tests by marker, one dot each (a cross: failed); at the end their sum"
        found.append((caption, dots(_by_marker(report.run.tests), title="Durations of tests")))
        slow = sorted(report.run.tests, key=lambda test: -test.total)[:SLOWEST]
        rows = [Bar(it.name.removeprefix("test_"), it.total, seconds(it.total)) for it in slow]
        found.append(("The slowest tests", bars(rows, title="The slowest tests")))
    if crowd := _percentiles(report.crowd):
        names = ", ".join(dict.fromkeys(dot.says.split()[0] for _, _, row in crowd for dot in row))
        found.append((f"Crowd, seconds by phase: {names}", dots(crowd, title="Crowd by phase")))
    return found


def _percentiles(crowd: CrowdRecord | None) -> list[tuple[str, str, list[Dot]]]:
    """A line per phase of the crowd, from its median to its slowest participant."""
    rows = []
    for phase, spread in crowd.figures.phases.items() if crowd else ():
        known = {"p50": spread.p50, "p95": spread.p95, "max": spread.max}
        marks = [Dot(value, False, f"{name} {seconds(value)}") for name, value in known.items()]
        rows.append((phase, marks[-1].says, marks))
    return rows


def _by_marker(tests: Sequence[Test]) -> list[tuple[str, str, list[Dot]]]:
    """A test with several markers counts for each, but 'slow' says only how long it takes."""
    found: dict[str, list[Test]] = {}
    for test in tests:
        for marker in [it for it in test.markers if it != "slow"] or ["no marker"]:
            found.setdefault(marker, []).append(test)
    return [
        (
            marker,
            f"{len(those)}: {seconds(sum(it.total for it in those))}",
            [Dot(it.total, it.outcome.bad, f"{it.name}: {seconds(it.total)}") for it in those],
        )
        for marker, those in found.items()
    ]


def _clock(line: LogLine) -> str:
    """The time of day of a log line, no more exact than its log wrote it."""
    second, thousandth = divmod(round(line.time * 1000), 1000)
    if not line.exact:
        return time.strftime("%H:%M:%S", time.gmtime(line.time))
    return f"{time.strftime('%H:%M:%S', time.gmtime(second))}.{thousandth:03d}"


def _moment(at: float | None) -> str:
    """A time for people, in UTC."""
    return "?" if at is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
