"""pyinfra operations that apply a plan: one command a node each, data on standard input.

pyinfra's time goes with the number of operations, so these are few and large.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pyinfra import host
from pyinfra.api import StringCommand, operation

from provision.archive import render_archive
from provision.events import emit_step
from provision.facts import script
from provision.patience import scaled
from provision.plan import Plan, Stage

PORT_DEADLINE = 60
"""Seconds for the units of a stage to be active and to own their ports."""

PLACE_TIMEOUT = 60
COMMANDS_TIMEOUT = 120
# systemctl itself waits for a unit up to systemd's own 90 s.
STAGE_TIMEOUT = PORT_DEADLINE + 150

Plans = Mapping[str, Plan]


@operation()
def place(plans: Plans, tree: Path) -> Iterator[StringCommand]:
    """Put changed files, links and directories in place, remove what is stale."""
    plan = plans[host.name]
    if plan.places:
        emit_step(host.name, "place", "start")
        data = render_archive(plan, files=tree / host.name / "files")
        yield script("place", data=data, timeout=scaled(PLACE_TIMEOUT))


@operation()
def run_commands(plans: Plans) -> Iterator[StringCommand]:
    """Run the commands whose paths changed."""
    plan = plans[host.name]
    if plan.commands:
        emit_step(host.name, "commands", "start")
        yield script("commands", data="\n".join(plan.commands), timeout=scaled(COMMANDS_TIMEOUT))


@operation()
def run_stage(plans: Plans, number: int) -> Iterator[StringCommand]:
    """Enable, start, restart and reload the units of a stage; wait until they are there."""
    stage = plans[host.name].stages.get(number)
    if stage and not stage.empty:
        emit_step(host.name, f"stage {number}", "start")
        yield script("units", data=render_stage(stage), timeout=scaled(STAGE_TIMEOUT))


@operation()
def finish(plans: Plans) -> Iterator[StringCommand]:
    """Record the manifest as applied: last of all, so that a killed run is done again."""
    plan = plans[host.name]
    if plan.finish:
        emit_step(host.name, "finish", "start")
        data = f"{plan.manifest.digest}\n{plan.manifest.text}"
        yield script("finish", data=data, timeout=scaled(PLACE_TIMEOUT))


def render_stage(stage: Stage) -> str:
    """The lines that `node/units.sh` reads."""
    verbs = ("enable", "restart", "reload", "start")
    lines = [f"{verb}\t{name}" for verb in verbs for name in getattr(stage, verb)]
    for unit in stage.units:
        lines.append(f"unit\t{unit.name}")
        lines += [f"port\t{port}\t{unit.name}" for port in unit.ports]
    return "\n".join([*lines, f"deadline\t{scaled(PORT_DEADLINE)}"])
