"""Runs specs one after another, each in a process of its own; those that fail are run again.

A process per spec costs some seconds.  In return, a spec that crashes or hangs is one result among
others, no browser is open that nobody uses, and what is known survives Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labctl.browser.changes import MOST_DISTURBED
from labctl.core import process
from labctl.core.progress import NOTICE, Progress
from labctl.crowd.target import Target
from labctl.e2e.evidence import add_evidence
from labctl.e2e.leftovers import end_processes_of
from labctl.e2e.needs import Programs
from labctl.e2e.results import read_attempt
from labctl.e2e.suite import SpecFile, Suite
from labctl.e2e.surroundings import (
    CONFIG,
    expectations_of,
    render_asked,
    render_environment,
    throw_away_home,
)
from labctl.lab.report import E2E_FILES
from labctl.ready.probe import probe
from labctl.report.e2e import AttemptRecord, E2eRecord, SpecOutcome, SpecRecord, counting
from labctl.topology.lab import Lab

SPEC_SECONDS = 900.0
"""The longest that one run of a spec may take; mocha ends each of its tests after three minutes."""

WEB = "jitsi-meet-web"


@dataclass(frozen=True, slots=True)
class E2ePlan:
    """What to run: `again` is how often a spec that fails is run again.

    Results go to `folder`.  `known` are specs that an earlier run has done; they are kept."""

    suite: Suite
    specs: tuple[SpecFile, ...]
    programs: Programs
    folder: Path
    most_browsers: int
    again: int = 1
    headless: bool = True
    known: Mapping[str, SpecRecord] = field(default_factory=dict)


def cores() -> int:
    """The processors that this process may use: as many browsers can be used at once."""
    return len(os.sched_getaffinity(0))


def run_plan(
    lab: Lab, plan: E2ePlan, *, progress: Progress, save: Callable[[E2eRecord], None]
) -> E2eRecord:
    """Run the specs; `save` gets the record after each one.

    Ctrl-C ends the spec that runs and leaves a record that says so.  Errors: LabError if the lab
    cannot be reached from here.
    """
    if not plan.known:
        shutil.rmtree(plan.folder / E2E_FILES, ignore_errors=True)
    record = _begin(lab, plan, progress=progress)
    target = Target.of(lab)
    with throw_away_home(target, expectations_of(lab.topology)) as home:
        try:
            for number, spec in enumerate(plan.specs, 1):
                place = f"[{number}/{len(plan.specs)}] {spec.name}"
                one = plan.known.get(spec.name)
                if one is None:
                    one = _run_spec(lab, plan, spec, home, progress=progress, place=place)
                    progress("e2e", f"{place}: {_told(one)}")
                record = replace(record, specs=(*record.specs, one), ended=time.time())
                save(replace(record, interrupted=True))
        except KeyboardInterrupt:
            record = replace(record, interrupted=True, ended=time.time())
        finally:
            end_processes_of(home)
    if not record.interrupted:
        record = add_evidence(lab, record, progress=progress)
    save(record)
    return record


def _begin(lab: Lab, plan: E2ePlan, *, progress: Progress) -> E2eRecord:
    state = probe(lab, lab.topology.jms)
    if WEB in state.stand_ins:
        message = (
            f"STAND-INS: this lab's '{WEB}' is labctl's own and has no web application, so"
            " specs of jitsi-meet cannot pass."
        )
        progress(NOTICE, message)
    now = time.time()
    return E2eRecord(
        lab=lab.topology.lab,
        suite=str(plan.suite.folder),
        began=now,
        ended=now,
        most_browsers=plan.most_browsers,
        versions=plan.programs.versions,
        stand_ins=tuple(sorted(state.stand_ins)),
    )


def _run_spec(
    lab: Lab, plan: E2ePlan, spec: SpecFile, home: Path, *, progress: Progress, place: str
) -> SpecRecord:
    shutil.rmtree(plan.folder / E2E_FILES / spec.name, ignore_errors=True)
    reason = why_not(spec, plan.most_browsers)
    if reason:
        return SpecRecord(spec.name, SpecOutcome.NOT_RUN, spec.browsers, reason)
    progress("e2e", f"{place}: {browsers_text(spec)}")
    attempts = [_attempt(lab, plan, spec, home, 1)]
    while may_run_again(attempts, plan.again):
        why = attempts[-1].disturbed
        progress("e2e", f"{place}: running it again{why and f'.  {why}'}")
        attempts.append(_attempt(lab, plan, spec, home, len(attempts) + 1))
    outcome = judge(counting(attempts))
    return SpecRecord(spec.name, outcome, spec.browsers, attempts=tuple(attempts))


def may_run_again(attempts: Sequence[AttemptRecord], again: int) -> bool:
    """Whether a spec failed and is to be run again: `again` times, and some more if disturbed."""
    if attempts[-1].outcome is not SpecOutcome.FAILED:
        return False
    disturbed = sum(bool(one.disturbed) for one in attempts)
    return len(attempts) - min(disturbed, MOST_DISTURBED) <= again


def browsers_text(spec: SpecFile) -> str:
    """How many browsers a spec opens, in words."""
    return f"{spec.browsers} browser{'s' if spec.browsers > 1 else ''}"


def why_not(spec: SpecFile, most: int) -> str:
    """Why a spec is not run, such as more browsers than this machine bears; empty if it is."""
    if spec.reason or spec.browsers <= most:
        return spec.reason
    return f"opens {spec.browsers} browsers at once, and this machine is good for {most}"


def judge(attempts: Sequence[AttemptRecord]) -> SpecOutcome:
    """The outcome of a spec by its runs that count; one that passes makes good for all."""
    last = attempts[-1].outcome
    if len(attempts) == 1:
        return last
    return SpecOutcome.FLAKY if last is SpecOutcome.PASSED else SpecOutcome.FAILED


def _attempt(lab: Lab, plan: E2ePlan, spec: SpecFile, home: Path, number: int) -> AttemptRecord:
    target, suite = Target.of(lab), plan.suite
    files = Path(E2E_FILES, spec.name, str(number))
    folder = plan.folder / files
    folder.mkdir(parents=True)
    results = folder / "results.jsonl"
    asked = render_asked(
        suite,
        target,
        programs=plan.programs,
        results=results,
        folder=folder,
        headless=plan.headless,
    )
    variables = render_environment(suite, target, home=home, headless=plan.headless)
    started = time.time()
    code: int | None = None
    output = ""
    try:
        ended = process.run(
            [plan.programs.node, suite.wdio, "run", CONFIG, "--spec", spec.path],
            cwd=suite.package,
            env={**variables, "LABCTL_E2E": asked},
            timeout=lab.patience.scaled(SPEC_SECONDS),
            check=False,
            log=folder / "wdio.log",
        )
        code, output = ended.code, ended.output
    except process.ProgramTimeoutError:
        pass  # the attempt says so
    finally:
        # The next spec begins with no browser of this one, whose driver may have crashed.
        end_processes_of(home)
    return read_attempt(
        results, code=code, output=output, started=started, ended=time.time(), files=files
    )


def _told(one: SpecRecord) -> str:
    why = f": {one.message}" if one.message else ""
    took = f" in {one.seconds:.0f} s" if one.attempts else ""
    return f"{one.outcome}{took}{why}"
