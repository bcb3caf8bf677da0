"""What can go wrong on a node, as a value that crosses the process boundary as JSON."""

from __future__ import annotations

from collections.abc import Sequence


class NodeProblem(Exception):
    """Provisioning of one node cannot go on.

    `message` is a whole sentence without the node's name; `detail` holds the last lines that
    were seen.
    """

    def __init__(
        self,
        node: str,
        phase: str,
        message: str,
        *,
        detail: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(f"node '{node}': {message}")
        self.node = node
        self.phase = phase
        self.message = message
        self.detail = tuple(detail)
        self.hint = hint
