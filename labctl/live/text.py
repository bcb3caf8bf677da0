"""A snapshot as plain text, for a pipe or a terminal that is not interactive."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator

from labctl.live.model import Snapshot
from labctl.live.table import Table, headline, stand_in_line, tables, totals_line
from labctl.report.lines import LogLine

SHOWN_LINES = 12
UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
"""Unicode's categories of what is no text: controls, directions, line ends, halves, private use."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def render_snapshot(snapshot: Snapshot) -> str:
    """Everything in it, one block a table, the newest log lines last."""
    heads = (headline(snapshot), stand_in_line(snapshot), totals_line(snapshot))
    lines = [line for line in heads if line]
    for table in tables(snapshot):
        lines += ["", *_table(table)]
    if snapshot.missing:
        lines += ["", "Missing:"]
        lines += [f"  {name}: {seen}" for name, seen in snapshot.missing.items()]
    if snapshot.advice:
        lines += ["", "What to do:"]
        lines += [f"  {it.says}\n    -> {it.cure}" for it in snapshot.advice]
    if snapshot.lines:
        lines += ["", "Log:", *(f"  {line_text(it)}" for it in snapshot.lines[-SHOWN_LINES:])]
    return "\n".join(printable(line) for line in lines)


def line_text(line: LogLine) -> str:
    """A log line in one line: time, node, log, level if it is not information, text."""
    at = time.strftime("%H:%M:%S", time.localtime(line.time))
    level = "" if line.level == "info" else f"{line.level.upper()}: "
    first = line.text.partition("\n")[0]
    return f"{at} {line.node} {line.source}: {level}{first}"


def printable(text: str) -> str:
    """The text on one line, without characters that would move a terminal's cursor or turn text.

    Names of rooms and log lines come from strangers.
    """
    return "".join(
        one if unicodedata.category(one) not in UNPRINTABLE else REPLACEMENT for one in text
    )


def _table(table: Table) -> Iterator[str]:
    if not table.rows:
        yield table.empty or f"{table.title}: none."
        return
    heads = tuple(name.upper() for name in table.columns)
    rows = [heads, *(row.cells for row in table.rows)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(heads))]
    yield from (_padded(row, widths) for row in rows)


def _padded(cells: Iterable[str], widths: Iterable[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(f"{cell:<{width}}" for cell, width in pairs).rstrip()
