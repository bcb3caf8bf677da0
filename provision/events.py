"""What the process tells its parent: one JSON object a line on standard output."""

from __future__ import annotations

import json
import sys
from typing import Any

from provision.problem import NodeProblem

_started: set[tuple[str, str]] = set()


def emit_step(node: str, phase: str, state: str) -> None:
    """A node began a phase (`start`) or ended it (`ok`, `failed`).

    The end of a phase that never began is not told: pyinfra runs every operation on every node,
    and most nodes have nothing to do in most of them.
    """
    if state == "start":
        _started.add((node, phase))
    elif (node, phase) not in _started:
        return
    _emit({"event": "step", "node": node, "phase": phase, "state": state})


def emit_problem(problem: NodeProblem) -> None:
    """A node cannot go on."""
    _emit(
        {
            "event": "problem",
            "node": problem.node,
            "phase": problem.phase,
            "message": problem.message,
            "detail": list(problem.detail),
            "hint": problem.hint,
        }
    )


def emit_outcome(nodes: dict[str, dict[str, list[str]]]) -> None:
    """What was done, node by node; the last line of a run that succeeded."""
    _emit({"event": "outcome", "nodes": nodes})


def _emit(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()
