"""`labctl gate bisect`: which package of a bad set is bad, or which version is the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.core.errors import UsageError
from labctl.core.files import write_json
from labctl.core.progress import Progress
from labctl.gate.bisected import BisectResult, not_bad
from labctl.gate.exchange import Exchange, Members, members_of
from labctl.gate.firstbad import find_in_versions, load_versions
from labctl.gate.identity import code_digest, digest
from labctl.gate.run import GatePlan
from labctl.gate.search import TrialOutcome
from labctl.gate.session import GATES
from labctl.gate.suspects import find_in_sets
from labctl.gate.trials import Trials, source_of
from labctl.images.candidates import load_candidates
from labctl.images.make import CACHE
from labctl.spec import load_spec
from labctl.topology.spec import PackageSource


@dataclass(frozen=True, slots=True)
class BisectPlan:
    """What is asked: two sets, or one and a folder of versions; `gate` says how each is tried."""

    gate: GatePlan
    good: str | None = None
    bad: str | None = None
    versions: Path | None = None
    folder: Path | None = None
    fresh: bool = False


def bisect(plan: BisectPlan, *, progress: Progress) -> BisectResult:
    """Find what is bad, and write bisect.json.  A bisection that was interrupted continues.

    Errors: UsageError for sources that cannot be taken apart, LabError for files that cannot be
    read."""
    if plan.versions is not None:
        result = _bisect_versions(plan, plan.versions, progress=progress)
    else:
        result = _bisect_sets(plan, progress=progress)
    write_json(Path(result.folder) / "bisect.json", result.to_json())
    return result


def load_members(source: str, *, progress: Progress) -> Members:
    """The packages of a source of files.  Errors: UsageError for another source."""
    spec, _ = load_spec(None, {"packages": source})
    if spec.packages.source is not PackageSource.DEBS:
        raise UsageError(
            f"'{source}' cannot be taken apart: a bisection needs the .deb files.",
            hint="Use 'debs:DIR' or 'debs:FILE.deb,FILE.deb'; a FILE may be an address.",
        )
    _, found = load_candidates(spec.packages, cache=CACHE, force=True, progress=progress)
    for note in found.notes:
        progress("bisect", note)
    return members_of(found.debs)


def _trials(plan: BisectPlan, sets: Sequence[Members], *, progress: Progress) -> Trials:
    """The trials, with the first set as the baseline of each."""
    gate = plan.gate
    files = [[each.deb.sha256 for _, each in sorted(members.items())] for members in sets]
    asked = [gate.runs, gate.quick, gate.drills, gate.strict, gate.stand_ins]
    key = digest([code_digest(), files, asked, str(gate.config), dict(gate.flags)])
    folder = plan.folder or GATES / f"bisect-{key}"
    # Each set is tried against the good one, whose result is kept from trial to trial.
    based = replace(gate, baseline=source_of(sets[0]), keep=False)
    return Trials.open(based, folder.absolute(), key=key, fresh=plan.fresh, progress=progress)


def _bisect_sets(plan: BisectPlan, *, progress: Progress) -> BisectResult:
    if plan.good is None or plan.bad is None:
        raise UsageError(
            "'labctl gate bisect' needs '--good' and '--bad', or '--versions'.",
            hint="'labctl gate bisect --help' shows examples.",
        )
    exchange = Exchange.of(
        load_members(plan.good, progress=progress), load_members(plan.bad, progress=progress)
    )
    if not exchange.names:
        raise UsageError("Both sets hold the same packages.", hint="There is nothing to find.")
    trials = _trials(plan, [exchange.good, exchange.bad], progress=progress)
    whole = "the bad set"
    outcome = trials.test(exchange.bad, what=whole)
    if outcome is not TrialOutcome.BAD or not trials.search_for(exchange.bad):
        return not_bad(trials, whole, outcome)
    progress("bisect", f"searching for: {'; '.join(map(str, sorted(trials.symptoms)))}")
    return find_in_sets(exchange, trials)


def _bisect_versions(plan: BisectPlan, folder: Path, *, progress: Progress) -> BisectResult:
    if plan.bad is not None:
        raise UsageError(
            "'--bad' and '--versions' cannot be combined.",
            hint="The newest version is the bad one.",
        )
    versions = load_versions(folder)
    if plan.good is not None:
        base, steps = load_members(plan.good, progress=progress), versions
    else:
        base, steps = versions[0].members, versions[1:]
    if not steps:
        raise UsageError(f"'{folder}' holds one version only.", hint="Give a '--good' set with it.")
    sets = [{**base, **each.members} for each in steps]
    trials = _trials(plan, [base, *sets], progress=progress)
    return find_in_versions([each.name for each in steps], sets, trials)
