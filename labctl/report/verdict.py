"""The verdict of a report: one word for programs, one line for people."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from labctl.report.model import Report, ReportOutcome
from labctl.report.svg import seconds
from labctl.topology.spec import PackageSource

SKIPPED = (ReportOutcome.SKIPPED, ReportOutcome.XFAILED)


class ReportVerdict(StrEnum):
    """The verdict of a report.  `INCOMPLETE`: nothing failed, but not everything ran."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


def judge_report(report: Report) -> ReportVerdict:
    """Failed tests and specs, and drills that came out worse, fail; so does an exit status that
    says so."""
    run = report.run
    worse = any(it.bad for it in report.drills or ()) or _bad_specs(report)
    if run.bad or run.exit_status == 1 or worse:
        return ReportVerdict.FAILED
    ran = run.count(ReportOutcome.PASSED, ReportOutcome.XPASSED)
    is_whole = run.exit_status == 0 and not run.not_run and ran > 0
    return ReportVerdict.PASSED if is_whole else ReportVerdict.INCOMPLETE


def verdict_line(report: Report) -> str:
    """The verdict in one sentence, stand-ins named in it."""
    run = report.run
    total = len(run.tests)
    skipped = run.count(*SKIPPED)
    lab = f"on lab '{report.topology.lab}'"
    took = f" in {seconds(run.ended - run.began)}" if run.began and run.ended else ""
    words = [f"{skipped} skipped"] if skipped else []
    if run.not_run:
        words.append(f"{run.not_run} did not run")
    if run.deselected:
        words.append(f"{run.deselected} not chosen")
    worse = sum(1 for it in report.drills or () if it.bad)
    if worse:
        words.append(f"{worse} drill{'s' if worse > 1 else ''} worse than expected")
    specs = _bad_specs(report)
    if specs:
        words.append(f"{specs} end-to-end spec{'s' if specs > 1 else ''} failed")
    aside = f" ({', '.join(words)})" if words else ""
    verdict = judge_report(report)
    match verdict:
        case ReportVerdict.FAILED if not run.bad and worse:
            head = f"{total - skipped} tests passed, but the drills did not go well,"
        case ReportVerdict.FAILED if not run.bad and specs:
            head = f"{total - skipped} tests passed, but the end-to-end suite did not go well,"
        case ReportVerdict.FAILED if not run.bad:
            head = f"pytest says that tests failed, but none of the {total} known ones did"
        case ReportVerdict.FAILED:
            head = f"{len(run.bad)} of {total} tests failed"
        case ReportVerdict.PASSED:
            head = f"All {total - skipped} tests passed"
        case ReportVerdict.INCOMPLETE:
            head = f"{total - skipped} tests ran, not all of them"
        case _:
            assert_never(verdict)
    return f"{head} {lab}{took}{aside}, {_packages(report)}."


def _bad_specs(report: Report) -> int:
    """How many specs of the end-to-end suite failed."""
    return len(report.e2e.bad) if report.e2e is not None else 0


def packages_kind(report: Report) -> str:
    """'stand-ins', 'real' or 'unknown': where nodes are silent nothing is called real."""
    nodes = report.status.nodes if report.status else ()
    stand_ins = report.status.stand_ins if report.status else ()
    if stand_ins or report.topology.spec.packages.source is PackageSource.STAND_INS:
        return "stand-ins"
    known = nodes and all(node.answers and node.packages for node in nodes)
    return "real" if known else "unknown"


def _packages(report: Report) -> str:
    return {
        "stand-ins": "with STAND-INS, not Jitsi's software",
        "real": "with Jitsi's own packages",
        "unknown": "packages unknown",
    }[packages_kind(report)]
