"""The log of a run: what ran on which node, what it printed, and how it ended."""

from __future__ import annotations

import threading
import time
from pathlib import Path


class RunLog:
    """Writes lines of several nodes at the same time, each with its time, node and phase."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, node: str, phase: str, text: str) -> None:
        """Append one line; it is on the disk when this returns."""
        at = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._lock, self.path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{at} {node} {phase}: {text}\n")
