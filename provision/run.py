"""A run: inspect every node, plan, then let the nodes go through their phases, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from labctl.core.progress import Progress, Timings
from labctl.node.reach import reach
from labctl.node.seam import (
    Answer,
    NodeError,
    Nodes,
    SlowNodeError,
    UnreachableError,
    on_all,
    try_all,
)
from labctl.topology.lab import Lab
from provision.explain import WAITING, explain
from provision.facts import parse_facts, render_questions, script
from provision.log import RunLog
from provision.manifest import Manifest, load_manifest
from provision.outcome import NodeOutcome, ProvisionOutcome
from provision.phases import INSPECT, ProvisionPhase, Step, finish, parts, placing, units
from provision.plan import ProvisionPlan, ProvisionStage, make_plan
from provision.problem import NodeProblem, ProvisionError

T = TypeVar("T")


def provision(
    lab: Lab,
    *,
    progress: Progress,
    log: Path,
    only: Collection[str] | None = None,
    timings: Timings | None = None,
) -> ProvisionOutcome:
    """Bring every node, or `only` those named, to the state of its rendered tree.

    Only what changed is restarted.  A run may be killed at any time; the next one finishes it.  The
    output of the scripts on the nodes goes to `log`, and what each step took to `timings`.  Errors:
    ProvisionError that names nodes, units and ports.
    """
    run = _Run(reach(lab), lab.topology.lab, progress, RunLog(log), timings or Timings())
    names = [node.name for node in lab.topology.nodes if only is None or node.name in only]
    tree = lab.folder.tree
    plans = run.plans(names, tree=tree)
    for part in parts(plans.values(), tree=tree, patience=lab.patience):
        run.apply(part, plans)
    outcome = ProvisionOutcome({name: NodeOutcome.of(plan) for name, plan in plans.items()})
    for name, node in outcome.nodes.items():
        progress("provision", str(node), node=name)
    return outcome


@dataclass(frozen=True, slots=True)
class Placed:
    """Nodes whose files are placed, and whose units still are as they were; see `placed`."""

    lab: Lab
    plans: Mapping[str, ProvisionPlan]
    run: _Run

    def change(self, name: str, stages: Mapping[str, ProvisionStage]) -> None:
        """Do this to units, by node, and wait until they own their ports.

        Errors: ProvisionError that names what did not come up.
        """

        def one(node: str) -> None:
            self.run.send(node, *units(name, stages[node], self.lab.patience))

        self.run.on_each(stages, one)


@contextmanager
def placed(lab: Lab, *, progress: Progress, log: Path) -> Iterator[Placed]:
    """Place the files of every node, for a caller that changes the units in an order of its own.

    The plans say what `provision` would have done to them.  At the end of the block all of it is
    recorded as applied; without that, the next `provision` does it.  Errors: ProvisionError.
    """
    run = _Run(reach(lab), lab.topology.lab, progress, RunLog(log), Timings())
    names = [node.name for node in lab.topology.nodes]
    plans = run.plans(names, tree=lab.folder.tree)
    run.apply(tuple(placing(tree=lab.folder.tree)), plans)
    yield Placed(lab, plans, run)
    run.apply((finish(),), plans)


def read_plans(lab: Lab, *, progress: Progress, log: Path) -> Mapping[str, ProvisionPlan]:
    """What `provision` would do on each node; nothing is done.  Errors: ProvisionError."""
    run = _Run(reach(lab), lab.topology.lab, progress, RunLog(log), Timings())
    return run.plans([node.name for node in lab.topology.nodes], tree=lab.folder.tree)


def changed_files(lab: Lab) -> dict[str, tuple[str, ...]]:
    """By node, the files that are not as they were placed; nothing is changed, and a node that
    cannot be asked has none.  Errors: NodeProblem if a node's rendered files are gone."""

    def one(name: str) -> tuple[str, ...]:
        manifest = load_manifest(lab.folder.tree / name / "manifest.json", node=name)
        asked = reach(lab).run(
            name,
            script(INSPECT.script),
            sudo=True,
            stdin=render_questions(manifest),
            seconds=INSPECT.seconds,
            check=False,
        )
        plan = make_plan(manifest, parse_facts(asked.sections, manifest=manifest))
        return tuple(entry.path for entry in plan.write)

    found = try_all([node.name for node in lab.topology.nodes], one)
    return {name: () if isinstance(each, NodeError) else each for name, each in found.items()}


@dataclass(frozen=True, slots=True)
class _Run:
    """What all phases need: the nodes, the log, and the progress."""

    nodes: Nodes
    lab: str
    progress: Progress
    log: RunLog
    timings: Timings

    def on_each(self, names: Iterable[str], do: Callable[[str], T]) -> dict[str, T]:
        """Run `do` on all nodes at once; a problem on any node ends the run after all are done."""

        def one(name: str) -> T | NodeProblem:
            try:
                return do(name)
            except NodeProblem as problem:
                self.log(name, problem.phase, problem.message)
                self.progress("provision", f"{problem.phase} failed", node=name)
                return problem

        found = on_all(names, one)
        problems = [each for each in found.values() if isinstance(each, NodeProblem)]
        if problems:
            raise ProvisionError(self.lab, problems, log=self.log.path)
        return {name: each for name, each in found.items() if not isinstance(each, NodeProblem)}

    def plans(self, names: Iterable[str], *, tree: Path) -> dict[str, ProvisionPlan]:
        """What to do on each node, from its rendered tree and its present state."""
        manifests = self.on_each(
            names, lambda name: load_manifest(tree / name / "manifest.json", node=name)
        )
        return self.on_each(manifests, lambda name: self.plan(manifests[name]))

    def plan(self, manifest: Manifest) -> ProvisionPlan:
        """What to do on one node."""

        # Its answer is not for people, so it does not go to the log.
        answer = self.send(manifest.node, INSPECT, render_questions(manifest), logged=False)
        return make_plan(manifest, parse_facts(answer.sections, manifest=manifest))

    def apply(self, part: Sequence[ProvisionPhase], plans: Mapping[str, ProvisionPlan]) -> None:
        """Run the phases of a part on all nodes that need them; returns when all are done."""

        def one(node: str) -> None:
            for phase in part:
                data = phase.data(plans[node])
                if data is not None:
                    self.send(node, phase.step, data)

        self.on_each(plans, one)

    def send(self, node: str, step: Step, data: str, *, logged: bool = True) -> Answer:
        """Run a step's script on a node.  Errors: NodeProblem, made from the script's output."""
        said: list[str] = []

        def on_line(line: str) -> None:
            said.append(line)
            if line != WAITING:
                self.log(node, step.name, line)

        self.progress("provision", step.message, node=node)
        self.log(node, step.name, "begins")
        began = time.monotonic()
        try:
            with self.timings.step(step.name, node=node):
                answer = self.nodes.run(
                    node,
                    script(step.script),
                    sudo=True,
                    stdin=data,
                    seconds=step.seconds,
                    check=False,
                    on_line=on_line if logged else None,
                )
        except UnreachableError as error:
            raise _lost(node, step, error.reason) from error
        except SlowNodeError as error:
            raise explain(node, step.name, said) from error
        if answer.code != 0:
            lines = said or [*answer.output.splitlines(), *answer.errors.splitlines()]
            raise explain(node, step.name, lines)
        self.log(node, step.name, f"ends after {time.monotonic() - began:.2f} s")
        return answer


def _lost(node: str, step: Step, reason: str) -> NodeProblem:
    if step is INSPECT:
        return NodeProblem(node, "connect", f"It cannot be reached by ssh: {reason}.")
    return NodeProblem(node, step.name, f"The connection was lost: {reason}.")
