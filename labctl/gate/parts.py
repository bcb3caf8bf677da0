"""The parts of trying a set of packages that are programs of their own: suite, drills, drift."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl import process
from labctl.errors import LabError
from labctl.gate.junit import load_junit
from labctl.gate.model import Case, Difference, Outcome
from labctl.progress import Progress
from labctl.waiting import scaled
from labctl.workdir import ROOT, Workdir, write_json

SUITE_SECONDS = 1800.0
DRIFT_SECONDS = 300.0
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
SUITE_ENDED = (0, 1)
"""Exit statuses of a suite that ran to its end; others are pytest's own troubles."""

DRILL_OUTCOMES: Mapping[str, Outcome] = {
    "as expected": Outcome.PASSED,
    "better than upstream used to be": Outcome.PASSED,
    "skipped": Outcome.SKIPPED,
}


def run_suite(workdir: Workdir, *, folder: Path, quick: bool) -> tuple[Case, ...]:
    """Run the acceptance suite; tests that fail are tried once more, on their own.

    Writes JUnit and pytest's output to `folder`.  Errors: LabError where the suite itself
    did not get to its end.
    """
    words = ("-m", "not slow") if quick else ()
    first = _pytest(workdir, words, folder=folder, name="tests")
    failed = [case for case in first if case.outcome is Outcome.FAILED]
    if not failed:
        return tuple(first)
    names = [case.name for case in failed]
    again = _pytest(workdir, (), folder=folder, name="tests-again", only=names)
    return merge_retry(first, again)


def merge_retry(first: Sequence[Case], again: Sequence[Case]) -> tuple[Case, ...]:
    """What passes when it is tried again is flaky: no verdict is made of it."""
    passed = {case.name for case in again if case.outcome is Outcome.PASSED}
    return tuple(
        Case(case.name, Outcome.FLAKY, case.seconds, case.message)
        if case.outcome is Outcome.FAILED and case.name in passed
        else case
        for case in first
    )


def run_drills(
    workdir: Workdir, names: Sequence[str], *, folder: Path, progress: Progress
) -> tuple[Case, ...]:
    """Run drills by name ('all' is every one); the caller holds the lab's lock.

    A drill that leaves the lab broken is the last one.  Errors: LabError.
    """
    from labctl.drills import result_to_json, run_drill, undo_left, want_drills

    topology = workdir.load_topology()
    undo_left(workdir, topology, progress=progress)
    results: list[dict[str, Any]] = []
    for drill in want_drills(names):
        result = run_drill(drill, workdir=workdir, topology=topology, progress=progress)
        results.append(result_to_json(result))
        write_json(folder / "drills.json", results)
        if result.left:
            break
    return parse_drills(results)


def parse_drills(data: Sequence[Mapping[str, Any]]) -> tuple[Case, ...]:
    """What `labctl drill run --json` writes; a drill that is worse than expected has failed."""
    cases = []
    for drill in data:
        outcome = DRILL_OUTCOMES.get(drill["verdict"], Outcome.FAILED)
        worse = [
            f"{each['says']}: {each['seen']}"
            for each in drill.get("findings", ())
            if each["verdict"] not in DRILL_OUTCOMES
        ]
        message = "; ".join(filter(None, [drill.get("reason", ""), *worse, drill.get("left", "")]))
        cases.append(Case(drill["name"], outcome, float(drill["seconds"]), message))
    return tuple(cases)


def run_drift(workdir: Workdir, *, folder: Path) -> tuple[Difference, ...]:
    """Differences between what the packages generated and what labctl rendered."""
    words = ["drift", "--lab", workdir.lab, "--json"]
    result = _labctl(words, seconds=scaled(DRIFT_SECONDS))
    try:
        data = json.loads(result.output)
    except ValueError as error:
        raise process.failure(result) from error
    write_json(folder / "drift.json", data)
    return parse_drift(data)


def parse_drift(data: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What `labctl drift --json` writes: unknown differences first, then those with a reason."""
    found: dict[str, Difference] = {}
    for key in ("unknown", "intended"):
        for entry in data[key]:
            place = f" [{entry['where']}]" if entry["where"] else ""
            packaged, placed = (json.dumps(entry[side]) for side in ("packaged", "placed"))
            text = f"{entry['area']}{place} {entry['name']}: {packaged} -> {placed}"
            # Packages make up names at every installation; two bakes never agree on them.
            text = UUID.sub("<id>", text)
            found.setdefault(text, Difference(text, judged=key == "intended"))
    return tuple(found.values())


def has_verb(verb: str) -> bool:
    """Whether this labctl has a verb."""
    from importlib.util import find_spec

    return find_spec(f"labctl.cli.{verb}") is not None


def _pytest(
    workdir: Workdir,
    words: Sequence[str],
    *,
    folder: Path,
    name: str,
    only: Sequence[str] = (),
) -> list[Case]:
    junit, log = folder / f"{name}.xml", folder / f"{name}.log"
    what: list[str | Path] = list(only) or [ROOT / "acceptance"]
    argv = [sys.executable, "-m", "pytest", *what, "--rootdir", ROOT, "-q", *words]
    result = process.run(
        [*argv, f"--junitxml={junit}", "-o", "junit_family=xunit1"],
        cwd=ROOT,
        env={"LABCTL_WORKDIR": str(workdir.path), "PYTHONPATH": str(ROOT)},
        log=log,
        timeout=scaled(SUITE_SECONDS),
        check=False,
    )
    cases = load_junit(junit)
    if result.code not in SUITE_ENDED or not cases:
        raise process.failure(result, log=log)
    return cases


def _labctl(words: Sequence[str], *, seconds: float) -> process.Result:
    """A verb of this labctl as a program; a status other than 0 is an answer, too."""
    env = {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "labctl", *words]
    result = process.run(argv, cwd=ROOT, env=env, timeout=seconds, check=False)
    if result.code > 1 or result.code < 0:
        raise LabError(process.failure(result).message)
    return result
