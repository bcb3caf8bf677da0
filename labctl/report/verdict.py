"""The verdict of a report: one word for programs, one line for people."""

from __future__ import annotations

from enum import StrEnum

from labctl.report.model import Outcome, Report
from labctl.report.svg import seconds
from labctl.report.timeline import read_drill

SKIPPED = (Outcome.SKIPPED, Outcome.XFAILED)


class Verdict(StrEnum):
    """What a report comes to.  `INCOMPLETE`: nothing failed, but not everything ran."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


def judge(report: Report) -> Verdict:
    """Failed tests and drills that came out worse fail; so does an exit status that says so."""
    run = report.run
    if run.bad or run.exit_status == 1 or any(read_drill(it).bad for it in report.drills or ()):
        return Verdict.FAILED
    ran = run.count(Outcome.PASSED, Outcome.XPASSED)
    is_whole = run.exit_status == 0 and not run.not_run and ran > 0
    return Verdict.PASSED if is_whole else Verdict.INCOMPLETE


def verdict_line(report: Report) -> str:
    """The verdict in one sentence, stand-ins named in it."""
    run = report.run
    total = len(run.tests)
    skipped = run.count(*SKIPPED)
    lab = f"on lab '{report.topology['lab']}'"
    took = f" in {seconds(run.ended - run.began)}" if run.began and run.ended else ""
    words = [f"{skipped} skipped"] if skipped else []
    if run.not_run:
        words.append(f"{run.not_run} did not run")
    if run.deselected:
        words.append(f"{run.deselected} not chosen")
    worse = sum(1 for item in report.drills or () if read_drill(item).bad)
    if worse:
        words.append(f"{worse} drill{'s' if worse > 1 else ''} worse than expected")
    aside = f" ({', '.join(words)})" if words else ""
    match judge(report):
        case Verdict.FAILED if not run.bad and worse:
            head = f"{total - skipped} tests passed, but drills did not come out well,"
        case Verdict.FAILED if not run.bad:
            head = f"pytest says that tests failed, though none of {total} is known to have"
        case Verdict.FAILED:
            head = f"{len(run.bad)} of {total} tests failed"
        case Verdict.PASSED:
            head = f"All {total - skipped} tests passed"
        case _:
            head = f"{total - skipped} tests ran, which is not everything"
    return f"{head} {lab}{took}{aside}, {_packages(report)}."


def packages_kind(report: Report) -> str:
    """'stand-ins', 'real' or 'unknown': where nodes are silent nothing is called real."""
    status = report.status or {}
    if status.get("stand_ins") or report.topology["packages"]["source"] == "stand-ins":
        return "stand-ins"
    nodes = status.get("nodes") or ()
    known = nodes and all(node["answers"] and node["packages"] for node in nodes)
    return "real" if known else "unknown"


def _packages(report: Report) -> str:
    return {
        "stand-ins": "with STAND-INS, not Jitsi's software",
        "real": "with Jitsi's own packages",
        "unknown": "packages unknown",
    }[packages_kind(report)]
