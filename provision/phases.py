"""The phases of a run: which script applies a part of a plan, and with what data.

Phases are few and large, because each costs one command on every node that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.core.waiting import Patience
from provision.archive import render_archive
from provision.plan import ProvisionPlan, ProvisionStage

PORT_DEADLINE = 60
"""How many seconds the units of a stage may take to be active and own their ports."""

OWN_STAGE = 1
"""Up to this stage, units need nothing of other nodes: firewalls, and what others connect to."""


@dataclass(frozen=True, slots=True)
class Step:
    """A script of `node/`: its name in messages, and how long it may take on a node."""

    name: str
    message: str
    script: str
    seconds: float


INSPECT = Step("inspect", "looking at files and units", "inspect", 60)
PLACE = Step("place", "placing files", "place", 60)
COMMANDS = Step("commands", "running commands", "commands", 120)
FINISH = Step("finish", "recording what was applied", "finish", 60)
# systemctl itself waits for a unit, up to systemd's limit of 90 s.
STAGE_SECONDS = PORT_DEADLINE + 150


@dataclass(frozen=True, slots=True)
class ProvisionPhase:
    """One step on every node that needs it; `data` returns None for a node that does not."""

    step: Step
    data: Callable[[ProvisionPlan], str | None]


def parts(
    plans: Iterable[ProvisionPlan], *, tree: Path, patience: Patience
) -> tuple[tuple[ProvisionPhase, ...], ...]:
    """The phases after all nodes were inspected, in order; `tree` has the rendered files.

    Within a part, a node waits for no other.  Each part must end on all nodes before the next one
    begins: what connects to others starts when these listen.
    """
    plans = tuple(plans)
    numbers = sorted({number for plan in plans for number in plan.stages})
    stages = {number: _stage(number, patience) for number in numbers}
    own = (*placing(tree=tree), *(it for number, it in stages.items() if number <= OWN_STAGE))
    found = [own, *((it,) for number, it in stages.items() if number > OWN_STAGE)]
    found[-1] = (*found[-1], finish())
    return tuple(found)


def placing(*, tree: Path) -> Iterator[ProvisionPhase]:
    """The phases before any unit is touched: files, and the commands that follow from them."""

    def place(plan: ProvisionPlan) -> str | None:
        files = tree / plan.manifest.node / "files"
        return render_archive(plan, files=files) if plan.places else None

    yield ProvisionPhase(PLACE, place)
    yield ProvisionPhase(COMMANDS, lambda plan: "\n".join(plan.commands) or None)


def finish() -> ProvisionPhase:
    """The last phase on each node, so that a killed run is done again there."""
    return ProvisionPhase(FINISH, _finish)


def units(name: str, stage: ProvisionStage, patience: Patience) -> tuple[Step, str]:
    """The step that changes a stage's units on one node, and its data."""
    return Step(name, f"{name}: units", "units", STAGE_SECONDS), render_stage(stage, patience)


def _stage(number: int, patience: Patience) -> ProvisionPhase:
    def data(plan: ProvisionPlan) -> str | None:
        stage = plan.stages.get(number)
        return render_stage(stage, patience) if stage and not stage.empty else None

    name = f"stage {number}"
    return ProvisionPhase(Step(name, f"{name}: units", "units", STAGE_SECONDS), data)


def _finish(plan: ProvisionPlan) -> str | None:
    return f"{plan.manifest.digest}\n{plan.manifest.text}" if plan.finish else None


def render_stage(stage: ProvisionStage, patience: Patience) -> str:
    """The lines that `node/units.sh` reads."""
    verbs = ("restart", "reload", "start")
    lines = [f"{verb}\t{name}" for verb in verbs for name in getattr(stage, verb)]
    for unit in stage.units:
        lines.append(f"unit\t{unit.name}")
        lines += [f"port\t{port}\t{unit.name}" for port in unit.ports]
    return "\n".join([*lines, f"deadline\t{patience.whole(PORT_DEADLINE)}"])
