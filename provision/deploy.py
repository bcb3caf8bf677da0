"""The order of things: look at every node, plan, then phase by phase over all nodes at once."""

from __future__ import annotations

from pathlib import Path

import gevent
from pyinfra.api import Host, State
from pyinfra.api.operation import add_op
from pyinfra.context import ctx_host, ctx_state

from provision import operations
from provision.events import emit_step
from provision.facts import NodeLook, parse_look, render_questions
from provision.manifest import Manifest
from provision.patience import scaled
from provision.plan import Plan, make_plan
from provision.problem import NodeProblem

LOOK_TIMEOUT = 60


def make_plans(state: State, manifests: dict[str, Manifest]) -> dict[str, Plan | NodeProblem]:
    """Look at all nodes in parallel and plan each."""
    jobs = {
        host.name: state.pool.spawn(_plan, state, host, manifests[host.name])
        for host in state.inventory.get_active_hosts()
    }
    gevent.joinall(list(jobs.values()), raise_error=True)
    return {name: job.get() for name, job in sorted(jobs.items())}


def _plan(state: State, host: Host, manifest: Manifest) -> Plan | NodeProblem:
    emit_step(host.name, "inspect", "start")
    with ctx_state.use(state), ctx_host.use(host):
        sections = host.get_fact(
            NodeLook,
            _sudo=True,
            _stdin=render_questions(manifest),
            _timeout=scaled(LOOK_TIMEOUT),
            _ignore_errors=True,
        )
    try:
        if sections is None:
            raise NodeProblem(
                host.name,
                "inspect",
                "Its state cannot be read.",
                hint="The log says why; another run may still hold the node.",
            )
        plan = make_plan(manifest, parse_look(sections, manifest=manifest))
    except NodeProblem as problem:
        emit_step(host.name, "inspect", "failed")
        return problem
    emit_step(host.name, "inspect", "ok")
    return plan


def add_phases(state: State, plans: dict[str, Plan], *, tree: Path) -> None:
    """Queue the phases that at least one node needs; pyinfra ends each on all nodes before the
    next begins, which makes every stage of units a barrier."""

    def add(function: object, name: str, *arguments: object) -> None:
        add_op(state, function, plans, *arguments, name=name, _sudo=True)

    if any(plan.places for plan in plans.values()):
        add(operations.place, "place", tree)
    if any(plan.commands for plan in plans.values()):
        add(operations.run_commands, "commands")
    for number in sorted({number for plan in plans.values() for number in plan.stages}):
        if any(not p.stages[number].empty for p in plans.values() if number in p.stages):
            add(operations.run_stage, f"stage {number}", number)
    if any(plan.finish for plan in plans.values()):
        add(operations.finish, "finish")


def outcome(plan: Plan) -> dict[str, list[str]]:
    """What a plan that has been applied did."""
    stages = plan.stages.values()
    return {
        "changed": sorted({*(entry.path for entry in plan.write), *plan.links}),
        "removed": list(plan.remove),
        "commands": list(plan.commands),
        "enabled": [name for stage in stages for name in stage.enable],
        "restarted": [name for stage in stages for name in stage.restart],
        "reloaded": [name for stage in stages for name in stage.reload],
        "started": [name for stage in stages for name in stage.start],
        "stopped": list(plan.stop),
    }
