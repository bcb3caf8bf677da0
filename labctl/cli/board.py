"""Progress on a terminal: one line per node that changes in place, and finished steps above."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console as Terminal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from labctl.core.progress import NOTICE

REFRESHES = 8


class Board:
    """A table of nodes with what each is doing; lines about the whole lab scroll above it.

    Its last state stays on the screen.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._terminal = Terminal(stderr=True, highlight=False)
        self._rows: dict[str, tuple[str, str, float]] = {}
        self._live = Live(
            get_renderable=self._table, console=self._terminal, refresh_per_second=REFRESHES
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        seconds = time.monotonic() - self._started
        if phase == NOTICE:
            self._notice(message)
        elif node is None:
            line = Text.assemble((f"{seconds:6.1f}s  ", "dim"), (f"{phase:<10}", "cyan"), message)
            self._terminal.print(line)
        else:
            self._rows[node] = (phase, message, seconds)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic() - self._started
        for node, (phase, message, since) in self._rows.items():
            age = Text(f"{now - since:6.1f}s", "dim")
            table.add_row(age, Text(phase, "cyan"), Text(node, "bold"), Text(message))
        return table

    def _notice(self, message: str) -> None:
        self._terminal.rule(style="bold yellow")
        self._terminal.print(Text(message, "bold yellow"))
        self._terminal.rule(style="bold yellow")
