"""Runs `provision/` as a child process and turns what it says into progress, outcome and errors.

A child, because pyinfra patches sockets for its whole process.  It prints JSON lines: steps,
problems, and one outcome at the end (`provision/events.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.model import Topology
from labctl.process import failure, run
from labctl.progress import Progress
from labctl.waiting import patience, scaled
from labctl.workdir import ROOT, Workdir

DEADLINE = 600.0
"""Seconds for a whole run; each step has a shorter deadline of its own in `provision/`."""

DETAIL_LINES = 12

MESSAGES = {
    ("connect", "start"): "connecting",
    ("inspect", "start"): "looking at files and units",
    ("place", "start"): "placing files",
    ("commands", "start"): "running commands",
    ("finish", "start"): "recording what was applied",
}


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """What a run did on one node: paths, commands, and units by what happened to them."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    reloaded: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether the node was left as it was."""
        units = (self.enabled, self.restarted, self.reloaded, self.started, self.stopped)
        return not any((self.changed, self.removed, self.commands, *units))

    def __str__(self) -> str:
        files = len(self.changed) + len(self.removed)
        parts = [f"{files} file{'s' * (files != 1)} changed"] if files else []
        for verb in ("restarted", "reloaded", "started", "stopped"):
            units: tuple[str, ...] = getattr(self, verb)
            if units:
                parts.append(f"{verb} {', '.join(units)}")
        if not parts and not self.empty:
            parts = [f"enabled {', '.join(self.enabled)}" if self.enabled else "commands run"]
        return "; ".join(parts) or "nothing to do"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, node by node."""

    nodes: Mapping[str, NodeOutcome]

    @property
    def empty(self) -> bool:
        """Whether every node was left as it was."""
        return all(node.empty for node in self.nodes.values())


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """Why a node could not be provisioned."""

    node: str
    phase: str
    message: str
    detail: tuple[str, ...] = ()
    hint: str | None = None

    def __str__(self) -> str:
        tail = "".join(f"\n    {line}" for line in self.detail[-DETAIL_LINES:])
        return f"Node '{self.node}' ({self.phase}): {self.message}{tail}"


class ProvisionError(LabError):
    """One or more nodes could not be brought to what their trees say."""

    def __init__(self, lab: str, problems: tuple[NodeProblem, ...], *, log: Path) -> None:
        self.problems = problems
        hints = list(dict.fromkeys(p.hint for p in problems if p.hint))
        super().__init__(
            f"Lab '{lab}' could not be provisioned.\n" + "\n".join(map(str, problems)),
            hint=" ".join(hints) or None,
            log=log,
        )


@dataclass(slots=True)
class Report:
    """Collects the lines of a run; anything that is not an event is the child's log."""

    progress: Progress
    problems: list[NodeProblem] = field(default_factory=list)
    outcome: Outcome | None = None

    def take(self, line: str) -> None:
        event = _parse_event(line)
        match event.get("event"):
            case "step":
                self._step(event)
            case "problem":
                self.problems.append(_parse_problem(event))
            case "outcome":
                self.outcome = _parse_outcome(event)

    def _step(self, event: Mapping[str, Any]) -> None:
        phase, state = event["phase"], event["state"]
        if state == "failed":
            self.progress("provision", f"{phase} failed", node=event["node"])
        elif state == "start":
            message = MESSAGES.get((phase, state), f"{phase}: units")
            self.progress("provision", message, node=event["node"])


def provision(
    workdir: Workdir,
    topology: Topology,
    *,
    progress: Progress,
    log: Path,
    deadline: float = DEADLINE,
) -> Outcome:
    """Bring every node to what its rendered tree says; restart only what changed.

    A run that was killed at any instant is made good by the next.  Errors: ProvisionError names
    nodes, units and ports; ProcessError where the child ends otherwise or outlives `deadline`
    (seconds).  Everything that it prints goes to `log`.
    """
    report = Report(progress)
    result = run(
        [sys.executable, "-m", "provision.run"],
        cwd=ROOT,
        env={
            "LABCTL_WORKDIR": str(workdir.path.resolve()),
            "LABCTL_PATIENCE": str(patience()),
        },
        timeout=scaled(deadline),
        check=False,
        log=log,
        on_line=report.take,
    )
    if report.problems:
        raise ProvisionError(topology.lab, tuple(report.problems), log=log)
    if result.code != 0 or report.outcome is None:
        raise failure(result, log=log)
    for name, node in report.outcome.nodes.items():
        progress("provision", str(node), node=name)
    return report.outcome


def _parse_event(line: str) -> Mapping[str, Any]:
    if not line.startswith('{"event"'):
        return {}
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return event


def _parse_problem(event: Mapping[str, Any]) -> NodeProblem:
    return NodeProblem(
        node=event["node"],
        phase=event["phase"],
        message=event["message"],
        detail=tuple(event["detail"]),
        hint=event["hint"],
    )


def _parse_outcome(event: Mapping[str, Any]) -> Outcome:
    return Outcome(
        {
            name: NodeOutcome(**{verb: tuple(names) for verb, names in done.items()})
            for name, done in event["nodes"].items()
        }
    )
