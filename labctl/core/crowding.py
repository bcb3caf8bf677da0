"""How crowded this machine's processors are: measured when a command begins, never configured.

Nodes of a lab share this machine with whatever else it does.  With four busy programs on two
processors, everything that a node does takes about three times as long, and a deadline that was
written for an idle machine would blame the node.
"""

from __future__ import annotations

import os
from pathlib import Path

PRESSURE, LOADAVG = Path("/proc/pressure/cpu"), Path("/proc/loadavg")

QUIET = 20.0
"""Percent of the last ten seconds in which something waited for a processor: no reason to look
closer."""
MOST = 4.0
"""A machine that is more crowded than this is not waited for any longer."""

LEAST_AT_ONCE, AT_ONCE_EACH = 8, 4
"""Nodes that are kept busy at once: at least, and for each processor."""


def measure_crowding() -> float:
    """How many times longer than on an idle machine a program takes here now: 1.0 to `MOST`.

    The kernel's pressure (Documentation/accounting/psi.rst) says whether anything waits for a
    processor; if so, the threads that want to run say how long.  A kernel without pressure is
    asked for the threads alone.
    """
    try:
        if PRESSURE.is_file() and parse_waiting(PRESSURE.read_text()) < QUIET:
            return 1.0
        return crowding_of(read_wanting(), processors=processors())
    except (OSError, ValueError):  # not Linux's, or kept from us
        return 1.0


def crowding_of(wanting: float, *, processors: int) -> float:
    """The factor for so many threads that want to run, of which this program's is one."""
    return round(min(max((wanting - 1) / processors, 1.0), MOST), 1)


def read_wanting() -> float:
    """Threads that want to run now, this one included.  Errors: OSError, ValueError."""
    return parse_wanting(LOADAVG.read_text())


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) or 1


def at_once() -> int:
    """How many nodes of one lab are kept busy at the same time; the others wait for their turn.

    Containers share this machine's processors, each its part: if fifty are asked at once, the JMS
    has one part of fifty.  On slow processors Jicofo then lost all bridges, again and again, and of
    fifty conferences that began at once none had its picture in time.
    """
    return max(LEAST_AT_ONCE, AT_ONCE_EACH * processors())


def parse_waiting(text: str) -> float:
    """Percent of the last ten seconds in which some task waited; ValueError if it is not said."""
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "some":
            return float(dict(word.split("=") for word in words)["avg10"])
    raise ValueError("no line 'some'")


def parse_wanting(text: str) -> float:
    """Threads that want to run, from /proc/loadavg (proc(5)): the last minute's average, or as
    many as at present, if these are more, because the average follows slowly."""
    minute, _, _, present, *_ = text.split()
    return max(float(minute), float(present.partition("/")[0]))
