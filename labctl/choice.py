"""Which provider a lab gets: its own, the one that was named, or the best that works here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labctl.capabilities import Rank, is_settled
from labctl.errors import LabError
from labctl.model import Provider, Spec
from labctl.progress import Progress
from labctl.providers import TABLE, ProviderFacts
from labctl.workdir import Workdir


def settle_provider(spec: Spec, *, named: bool, workdir: Workdir, progress: Progress) -> Spec:
    """The same wishes with a provider that is one.

    A lab that exists keeps its own unless another is `named`; 'auto' chooses for a new one.
    Errors: LabError where a lab that has machines would change its provider, or none works.
    """
    kept = workdir.load_topology().provider if workdir.exists() else None
    wanted = spec.provider
    if kept is not None and not (named and is_settled(wanted)):
        return replace(spec, provider=kept)
    if not is_settled(wanted):
        return replace(spec, provider=choose_provider(progress=progress))
    return spec


def refuse_change(spec: Spec, *, workdir: Workdir) -> None:
    """A lab's machines stay with the provider that made them (LabError)."""
    if not workdir.exists() or not any(workdir.vagrant.glob("machines/*/*/id")):
        return
    kept, wanted = workdir.load_topology().provider, spec.provider
    if kept != wanted:
        raise LabError(
            f"Lab '{workdir.lab}' has machines of provider '{kept}', not of '{wanted}'.",
            hint=f"Run 'labctl destroy --lab {workdir.lab}' first, or give this lab another name"
            " with '--lab'.",
        )


def choose_provider(
    *, progress: Progress, rows: Iterable[ProviderFacts] = tuple(TABLE.values())
) -> Provider:
    """The best provider that can be used on this machine; says which, and why.

    Nobody is asked once the best possible is found: some answers take their time.  Errors:
    LabError that tells every provider's problem.
    """
    problems: dict[str, str] = {}
    found: tuple[Rank, str, Provider] | None = None
    for row in rows:
        if problem := row.problem():
            problems[row.provider] = problem
            continue
        rank, why = row.rank()
        if found is None or rank < found[0]:
            found = rank, why, row.provider
        if rank is min(Rank):
            break
    if found is None:
        lines = "".join(f"\n    '{name}': {problem}" for name, problem in problems.items())
        raise LabError(
            f"No provider can be used on this machine.{lines}",
            hint="'labctl doctor --provider NAME' says more about one.",
        )
    passed = [f"not '{name}': {problem}" for name, problem in problems.items()]
    progress("host", "; ".join([f"provider '{found[2]}': {found[1]}", *passed]))
    return found[2]
