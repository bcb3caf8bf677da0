"""The parts of trying a set of packages in a lab that is up: suite, drills, drift."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

from labctl.contract.check import check_lab
from labctl.contract.report import ContractRecord, record_check
from labctl.contract.table import load_table
from labctl.core import process
from labctl.core.files import write_json
from labctl.core.progress import Progress
from labctl.drift.measure import measure_drift
from labctl.drift.report import Drift
from labctl.drills import record_of, run_drill, undo_left, want_drills
from labctl.gate.junit import load_junit
from labctl.gate.model import NOT_DUE, CaseOutcome, Difference, GateCase
from labctl.report.drill import DrillRecord, DrillVerdict, drills_from_json, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.model import Topology
from labctl.topology.workdir import ROOT

SUITE_SECONDS = 1800.0
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
SUITE_ENDED = (0, 1)
"""Exit statuses of a suite that finished; others are failures of pytest itself."""


def run_suite(lab: Lab, *, folder: Path, quick: bool) -> tuple[GateCase, ...]:
    """Run the acceptance suite; tests that fail are tried once more, on their own.

    Writes JUnit and pytest's output to `folder`.  Errors: LabError if the suite itself did not
    finish."""
    words = ("-m", "not slow") if quick else ()
    first = _pytest(lab, words, folder=folder, name="tests")
    return retry_suite(lab, first, folder=folder)


def retry_suite(lab: Lab, first: Sequence[GateCase], *, folder: Path) -> tuple[GateCase, ...]:
    """Run the tests that failed once more, on their own.  Errors: as of `run_suite`."""
    names = [case.name for case in first if case.outcome is CaseOutcome.FAILED]
    if not names:
        return tuple(first)
    again = _pytest(lab, (), folder=folder, name="tests-again", only=names)
    return merge_retry(first, again)


def merge_retry(first: Sequence[GateCase], again: Sequence[GateCase]) -> tuple[GateCase, ...]:
    """What passes when it is tried again is flaky and does not decide."""
    passed = {case.name for case in again if case.outcome is CaseOutcome.PASSED}
    return tuple(
        GateCase(case.name, CaseOutcome.FLAKY, case.seconds, case.message)
        if case.outcome is CaseOutcome.FAILED and case.name in passed
        else case
        for case in first
    )


def run_drills(
    lab: Lab, names: Sequence[str], *, folder: Path, progress: Progress, resumed: bool = False
) -> tuple[GateCase, ...]:
    """Run drills by name ('all' is every one); those that fail are run once more.

    The caller holds the lab's lock.  A drill that leaves the lab broken is the last one.  With
    `resumed`, drills whose results are in `folder` are not run again.  Errors: LabError.
    """
    undo_left(lab, progress=progress)
    file = folder / "drills.json"
    known = load_drills(file) if resumed else []
    records = _drill(lab, names, file, progress=progress, known=known)
    first = tuple(case_of(record) for record in records)
    failed = [case.name for case in first if case.outcome is CaseOutcome.FAILED]
    if not failed or any(record.left for record in records):
        return first
    again = _drill(lab, failed, folder / "drills-again.json", progress=progress)
    return merge_retry(first, [case_of(record) for record in again])


def load_drills(file: Path) -> list[DrillRecord]:
    """The drills in a file; none if there is no such file.  Errors: StateError."""
    if not file.is_file():
        return []
    return list(drills_from_json(json.loads(file.read_text(encoding="utf-8"))))


def _drill(
    lab: Lab,
    names: Sequence[str],
    file: Path,
    *,
    progress: Progress,
    known: Sequence[DrillRecord] = (),
) -> list[DrillRecord]:
    records = list(known)
    done = {record.name for record in known}
    for drill in want_drills(names):
        if drill.name in done:
            continue
        result = run_drill(drill, lab, progress=progress)
        records.append(record_of(result))
        write_json(file, drills_to_json(records))
        if result.left:
            break
    return records


def case_of(drill: DrillRecord) -> GateCase:
    """A drill as the gate counts it, with what was worse in words."""
    worse = [f"{it.says}: {it.seen}" for it in drill.findings if it.verdict is DrillVerdict.WORSE]
    message = "; ".join(filter(None, [drill.reason, *worse, drill.left]))
    return GateCase(drill.name, outcome_of(drill.verdict), drill.seconds, message)


def outcome_of(verdict: DrillVerdict) -> CaseOutcome:
    """A drill that is worse than expected has failed, one that is better has not."""
    match verdict:
        case DrillVerdict.EXPECTED | DrillVerdict.BETTER:
            return CaseOutcome.PASSED
        case DrillVerdict.SKIPPED:
            return CaseOutcome.SKIPPED
        case DrillVerdict.WORSE:
            return CaseOutcome.FAILED
        case _:
            assert_never(verdict)


def run_drift(lab: Lab, *, folder: Path) -> tuple[Difference, ...]:
    """Differences between what the packages generated and what labctl rendered.

    Errors: LabError when a node does not answer.
    """
    drift = measure_drift(lab)
    write_json(folder / "drift.json", drift.to_json())
    return differences_of(drift, names=names_of_addresses(lab.topology))


def names_of_addresses(topology: Topology) -> dict[str, str]:
    """Words for the addresses of a lab, because two labs may have different networks."""
    nodes = {str(node.address): f"<{node.name}>" for node in topology.nodes}
    network = {str(topology.network): "<network>", str(topology.host_address): "<host>"}
    return nodes | network


def run_contract(lab: Lab, *, folder: Path, progress: Progress) -> tuple[GateCase, ...]:
    """The contract's entries, each a case; one that does not apply to this lab is skipped.

    Errors: LabError when a node does not answer.
    """
    began = time.monotonic()
    checked = check_lab(lab, load_table(), progress=progress)
    record = record_check(checked, lab=lab.topology.lab)
    write_json(folder / "contract.json", record.to_json())
    return entries_of(record, seconds=time.monotonic() - began)


def entries_of(record: ContractRecord, *, seconds: float = 0.0) -> tuple[GateCase, ...]:
    """Each entry once, whatever number of nodes it was asked on; they share the seconds."""
    problems: dict[str, list[str]] = {}
    for entry in record.entries:
        name = f"{entry.package}: {entry.id}"
        problems.setdefault(name, []).extend(f"{entry.node}: {it}" for it in entry.problems)
    each = seconds / max(1, len(problems))
    asked = (
        GateCase(name, CaseOutcome.FAILED if found else CaseOutcome.PASSED, each, "; ".join(found))
        for name, found in problems.items()
    )
    others = {f"{it.package}: {id}": f"{NOT_DUE}{it}" for id, it in record.not_due.items()}
    skipped = (
        GateCase(name, CaseOutcome.SKIPPED, 0.0, why)
        for name, why in {**record.skipped, **others}.items()
    )
    return (*asked, *skipped)


def differences_of(drift: Drift, *, names: Mapping[str, str]) -> tuple[Difference, ...]:
    """Each difference once: areas that could not be compared, then differences that nobody has
    judged, then those with a reason.  `names` replace addresses."""
    found: dict[str, Difference] = {}
    for skip in drift.not_compared:
        text = f"{skip.area} on {skip.node}: not compared, because {skip.reason}"
        found.setdefault(text, Difference(text, judged=False))
    for entry in (*drift.unknown, *drift.intended):
        packaged, placed = json.dumps(entry.packaged), json.dumps(entry.placed)
        text = f"{entry.area} {entry.place}{entry.name}: {packaged} -> {placed}"
        # Packages make up names at every installation; two bakes never agree on them.
        text = UUID.sub("<id>", text)
        for address, name in names.items():
            text = re.sub(rf"(?<![\d.]){re.escape(address)}(?!\d|\.\d)", name, text)
        found.setdefault(text, Difference(text, judged=entry.reason is not None))
    return tuple(found.values())


def _pytest(
    lab: Lab,
    words: Sequence[str],
    *,
    folder: Path,
    name: str,
    only: Sequence[str] = (),
) -> list[GateCase]:
    junit, log = folder / f"{name}.xml", folder / f"{name}.log"
    what: list[str | Path] = list(only) or [ROOT / "acceptance"]
    argv = [sys.executable, "-m", "pytest", *what, "--rootdir", ROOT, "-q", *words]
    result = process.run(
        [*argv, f"--junitxml={junit}", "-o", "junit_family=xunit1"],
        cwd=ROOT,
        env={"LABCTL_WORKDIR": str(lab.folder.path), "PYTHONPATH": str(ROOT)},
        log=log,
        timeout=lab.patience.scaled(SUITE_SECONDS),
        check=False,
    )
    cases = load_junit(junit)
    if result.code not in SUITE_ENDED or not cases:
        raise process.failure(result, log=log)
    return cases
