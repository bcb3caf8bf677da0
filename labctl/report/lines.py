"""Lines of the nodes' logs as values: what a failure shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry of a log: time in seconds since 1970 by the clock of the machine that asked.

    `exact` is False for a log that writes whole seconds; `text` holds the lines of a stack
    trace, too.
    """

    time: float
    exact: bool
    node: str
    source: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Log lines of all nodes between two times; `before` are earlier ones about the same thing."""

    start: float
    end: float
    lines: tuple[LogLine, ...] = ()
    left_out: int = 0
    before: tuple[LogLine, ...] = ()
