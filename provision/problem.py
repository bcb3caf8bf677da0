"""Why nodes could not be provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labctl.core.errors import LabError

DETAIL_LINES = 12


class NodeProblem(LabError):
    """Provisioning of one node cannot continue.

    `reason` is a whole sentence without the node's name; `detail` has the last lines of output.
    """

    def __init__(
        self,
        node: str,
        phase: str,
        reason: str,
        *,
        detail: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        tail = "".join(f"\n    {line}" for line in detail[-DETAIL_LINES:])
        super().__init__(f"Node '{node}' ({phase}): {reason}{tail}", hint=hint)
        self.node = node
        self.phase = phase
        self.reason = reason
        self.detail = tuple(detail)


class ProvisionError(LabError):
    """One or more nodes could not be provisioned."""

    def __init__(self, lab: str, problems: Sequence[NodeProblem], *, log: Path) -> None:
        self.problems = tuple(problems)
        hints = list(dict.fromkeys(problem.hint for problem in problems if problem.hint))
        super().__init__(
            "\n".join([f"Lab '{lab}' could not be provisioned.", *(p.message for p in problems)]),
            hint=" ".join(hints) or None,
            log=log,
        )
