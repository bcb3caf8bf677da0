"""What else used this machine's processors while a lab was up: measured, never assumed.

The kernel counts what all processors did (/proc/stat) and what a virtual machine was refused
(steal).  What the lab's nodes used, by their own accounting, and what labctl and its children used
is taken off; the rest belongs to others.  If the nodes cannot say what they used, the load average
from before the lab began is used instead."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.gate.measures import Load

STAT, PRESSURE, LOADAVG = (Path("/proc") / name for name in ("stat", "pressure/cpu", "loadavg"))


@dataclass(frozen=True, slots=True)
class Sample:
    """This machine at one instant, in seconds since an arbitrary start, so that only differences
    count.

    `own` is the CPU time of this process and of its children that have ended; `pressure` is the
    time in which something waited for a processor, None if the kernel does not say."""

    at: float
    busy: float
    steal: float
    own: float
    loadavg: float
    pressure: float | None = None


def take_sample() -> Sample:
    """This machine now."""
    busy, steal = parse_stat(STAT.read_text(), ticks=os.sysconf("SC_CLK_TCK"))
    pressure = parse_pressure(PRESSURE.read_text()) if PRESSURE.is_file() else None
    loadavg = float(LOADAVG.read_text().split()[0])
    return Sample(time.monotonic(), busy, steal, _own(), loadavg, pressure)


def _own() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def parse_stat(text: str, *, ticks: int) -> tuple[float, float]:
    """Seconds that all processors together were busy, and that a hypervisor kept from them.

    The fields are those of proc(5): user, nice, system, idle, iowait, irq, softirq, steal; what
    guests used is in `user` already.
    """
    fields = [int(word) / ticks for word in text.partition("\n")[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields
    return user + nice + system + irq + softirq, steal


def parse_pressure(text: str) -> float | None:
    """Seconds in which some task waited for a processor (the kernel's accounting/psi.rst)."""
    for line in text.splitlines():
        if line.startswith("some "):
            return int(line.rpartition("total=")[2]) / 1e6
    return None


def measure_load(
    before: Sample, after: Sample, *, nodes: Sequence[float | None], processors: int | None = None
) -> Load:
    """What others used between two samples; `nodes` are the seconds that each node used."""
    processors = processors or os.cpu_count() or 1
    seconds = max(after.at - before.at, 1e-3)
    whole = seconds * processors
    known = [used for used in nodes if used is not None]
    if nodes and len(known) == len(nodes):
        rest = after.busy - before.busy - (after.own - before.own) - sum(known)
        others = min(max(rest / whole, 0.0), 1.0)
    else:
        others = min(before.loadavg / processors, 1.0)
    waited = None
    if before.pressure is not None and after.pressure is not None:
        waited = min((after.pressure - before.pressure) / seconds, 1.0)
    return Load(
        seconds=seconds,
        processors=processors,
        others=others,
        steal=min(max((after.steal - before.steal) / whole, 0.0), 1.0),
        pressure=waited,
        loadavg=after.loadavg,
        measured=bool(nodes) and len(known) == len(nodes),
    )
