"""Choose a lab's provider: its present one, the one that was named, or the best that works here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.providers.base import Provider, Rank
from labctl.providers.table import TABLE, is_provider, provider_of
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir


def resolve_provider(spec: Spec, *, named: bool, workdir: Workdir, progress: Progress) -> Spec:
    """The same spec with a definite provider instead of 'auto'.

    An existing lab keeps its provider unless another is `named`; for a new lab, 'auto' chooses.
    Errors: LabError if none works, or if it cannot spread a lab over `hosts`.
    """
    kept, wanted = kept_provider(workdir), spec.provider
    if kept is not None and not (named and is_provider(wanted)):
        spec = replace(spec, provider=kept)
    elif not is_provider(wanted):
        spec = replace(spec, provider=choose_provider(progress=progress))
    if spec.hosts and not provider_of(spec.provider).spreads:
        able = ", ".join(f"'{row.name}'" for row in TABLE.values() if row.spreads)
        raise LabError(
            f"Provider '{spec.provider}' cannot spread a lab over the machines in 'hosts'.",
            hint=f"Providers that can: {able}. Or remove 'hosts'.",
        )
    return spec


def kept_provider(workdir: Workdir) -> ProviderName | None:
    """The provider of an existing lab; if its topology is lost, Vagrant's state shows it.

    Errors: StateError for a topology that `up` must not replace.
    """
    topology = workdir.find_topology()
    if topology is not None:
        return topology.provider
    made = {path.parent.name for path in workdir.vagrant.glob("machines/*/*/id")}
    return next((name for name in TABLE if name in made), None)


def refuse_change(spec: Spec, *, workdir: Workdir) -> None:
    """Refuse to change the provider of a lab that has machines (LabError)."""
    kept, wanted = kept_provider(workdir), spec.provider
    if kept not in (None, wanted) and any(workdir.vagrant.glob("machines/*/*/id")):
        raise LabError(
            f"Lab '{workdir.lab}' has machines of provider '{kept}', not of '{wanted}'.",
            hint=f"Run 'labctl destroy --lab {workdir.lab}' first, or give this lab another name"
            " with '--lab'.",
        )


def choose_provider(
    *, progress: Progress, rows: Iterable[Provider] = tuple(TABLE.values())
) -> ProviderName:
    """The best provider that can be used on this machine; reports which, and why.

    Once the best possible one is found, the others are not asked, because some take long to
    answer.  Errors: LabError with every provider's problem.
    """
    problems: dict[str, str] = {}
    found: tuple[Rank, str, ProviderName] | None = None
    for row in rows:
        if problem := row.find_problem():
            problems[row.name] = problem
            continue
        rank, why = row.rank()
        if found is None or rank < found[0]:
            found = rank, why, row.name
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
