"""Turn a script's output into messages for people."""

from __future__ import annotations

from collections.abc import Sequence

from provision.problem import NodeProblem

TAIL = 20
HELD_HINT = "An interrupted run may still be active there and will end soon: run 'labctl up' again."
WAITING = "wait"
"""What a script prints while it waits for units; it is not for people."""
UNIT_ROWS = ("refused", "looping", "inactive", "closed")


def explain(node: str, phase: str, lines: Sequence[str]) -> NodeProblem:
    """The problem of a failed phase, from its script's output."""
    rows = [line.split("\t") for line in lines]
    stated = [sentence for row in rows if (sentence := _sentence(row))]
    logs = [row[2] for row in rows if row[0] in ("log", "said") and len(row) > 2]
    other = [
        line
        for line, row in zip(lines, rows, strict=True)
        if row[0] not in ("log", "said", WAITING, "failed", *UNIT_ROWS)
    ]
    if not stated:
        stated = ["It failed." if other else "The connection was lost, or no answer came in time."]
    hint = HELD_HINT if any(row[:2] == ["failed", "lock"] for row in rows) else None
    detail = [*other[-TAIL:], *logs[-TAIL:]]
    return NodeProblem(node, phase, " ".join(stated), detail=detail, hint=hint)


def _sentence(row: Sequence[str]) -> str | None:
    match row:
        case ["failed", what, reason]:
            return f"'{what}' failed: {reason}."
        case ["refused", unit, verb]:
            return f"systemctl cannot {verb} '{unit}'."
        case ["looping", unit, times]:
            return f"Unit '{unit}' does not stay up: it has ended {times} times while waited for."
        case ["inactive", unit, state]:
            return f"Unit '{unit}' is {state}."
        case ["closed", unit, port, "-"]:
            return f"Port {port} of '{unit}' is not open."
        case ["closed", unit, port, holder]:
            return f"Port {port} of '{unit}' is held by {holder}."
    return None
