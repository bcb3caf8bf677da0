"""What each service has of memory, processors, threads, descriptors and logs while something runs.

Nodes are asked every few seconds over their seam.  Between sides the samples of the suite are
compared: what the candidate usually has lies outside of what the baseline had, or it does not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import assert_never

from labctl.core.errors import LabError
from labctl.gate.measures import Resource, UnitUse, UseSample
from labctl.gate.model import GateFinding, Severity
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import units_of

INTERVAL_SECONDS = 2.0
LEAST_SAMPLES = 6
"""The fewest samples a side that show their noise."""
WORSE_RATIO = 1.25
RATES = (Resource.CPU, Resource.LOG)
"""What only grows: its figure is how much a minute."""
WORTH: Mapping[Resource, float] = {
    Resource.MEMORY: 32 * 2**20,
    Resource.CPU: 6.0,
    Resource.THREADS: 10,
    Resource.DESCRIPTORS: 20,
    Resource.LOG: 64 * 2**10,
}
"""A difference of less is not reported: bytes, seconds a minute, counts, bytes a minute."""

# Asked every few seconds: the shell itself reads, so that nearly no program has to be started.
# In the older kind of cgroups the unit's processes are in systemd's own hierarchy.  The fields of
# stat after the name are those of proc(5) from the third on; 14 to 17 are ticks of CPU.
_ASK = r"""
use_of() {{
  unit=$1 m=0 c=0 t=0 f=0 n=0
  for pid in $(cat /sys/fs/cgroup/systemd"$2"/cgroup.procs \
      /sys/fs/cgroup"$2"/cgroup.procs 2>/dev/null); do
    {{ read -r stat < /proc/"$pid"/stat; }} 2>/dev/null || continue
    {{ while read -r key value rest; do
      case $key in
        RssAnon:) m=$((m + value)) ;;
        Threads:) t=$((t + value)) ;;
      esac
    done < /proc/"$pid"/status; }} 2>/dev/null || continue
    set -- ${{stat##*) }}
    c=$((c + ${{12}} + ${{13}} + ${{14}} + ${{15}}))
    set -- /proc/"$pid"/fd/*
    f=$((f + $#)) n=$((n + 1))
  done
  [ "$n" -eq 0 ] || echo "use $unit $((m * 1024)) $((c * 1000 / ticks)) $t $f"
}}
ticks=$(getconf CLK_TCK)
systemctl show -p Id -p ControlGroup {units} | awk '
  /^Id=/ {{ id = substr($0, 4) }} /^ControlGroup=/ {{ group = substr($0, 14) }}
  /^$/ {{ print id, group; id = group = "" }} END {{ print id, group }}' |
while read -r unit group; do [ -z "$group" ] || use_of "$unit" "$group"; done
"""
_LOGS = """
echo "log {unit} $(stat -c %s {files} 2>/dev/null | awk '{{ n += $1 }} END {{ printf "%d", n }}')"
"""


def ask_use(lab: Lab) -> dict[str, UnitUse]:
    """What each kind of unit has now, on all nodes together.

    Errors: LabError if a node does not answer, because what is then missing looks like a change.
    """
    nodes = {node.name: node for node in lab.topology.nodes}
    answers = on_all(nodes, lambda name: _ask(lab, nodes[name]))
    total: dict[str, UnitUse] = {}
    for answer in answers.values():
        for unit, use in parse_use(answer).items():
            kind = unit.removesuffix(".service").partition("@")[0]
            total[kind] = _plus(total[kind], use) if kind in total else use
    return total


def render_ask(node: Node) -> str:
    """The script for one node."""
    # Not what labctl itself needs there, such as sshd.
    units = [unit for unit in units_of(node) if unit.package]
    logs = (_LOGS.format(unit=it.name, files=" ".join(it.logs)) for it in units if it.logs)
    return _ASK.format(units=" ".join(it.name for it in units)) + "".join(logs)


def _ask(lab: Lab, node: Node) -> str:
    work = ShellScript(render_ask(node))
    return reach(lab).run(node.name, work, sudo=True, seconds=20, check=False).output


def parse_use(text: str) -> dict[str, UnitUse]:
    """The units in a node's answer; one without processes is left out."""
    lines = [line.split() for line in text.splitlines()]
    logs = {words[1]: int(words[2]) for words in lines if words[:1] == ["log"] and len(words) == 3}
    return {
        name: UnitUse(int(memory), int(cpu) / 1000, int(threads), int(files), logs.get(name, 0))
        for name, memory, cpu, threads, files in (
            words[1:] for words in lines if words[:1] == ["use"] and len(words) == 6
        )
    }


def _plus(one: UnitUse, other: UnitUse) -> UnitUse:
    return UnitUse(
        one.memory + other.memory,
        one.cpu + other.cpu,
        one.threads + other.threads,
        one.descriptors + other.descriptors,
        one.log + other.log,
    )


@contextmanager
def sampled(lab: Lab, *, interval: float = INTERVAL_SECONDS) -> Iterator[list[UseSample]]:
    """Sample the lab while the block runs; the list grows meanwhile.

    An instant at which a node did not answer, as it may in a drill, has no sample.
    """
    found: list[UseSample] = []
    ended = threading.Event()
    began = time.monotonic()

    def sample() -> None:
        while True:
            at = time.monotonic() - began
            with suppress(LabError):
                found.append(UseSample(round(at, 2), ask_use(lab)))
            if ended.wait(max(0.2, interval - (time.monotonic() - began - at))):
                return

    thread = threading.Thread(target=sample, name="resources", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Spread:
    """What one resource of one kind of unit was: usually, and in most of the samples."""

    median: float
    low: float
    high: float


def spread_of(samples: Sequence[UseSample], unit: str, resource: Resource) -> Spread | None:
    """The median and the range of the middle eight tenths; None with too few samples.

    Of what only grows, it is the growth a minute from sample to sample.  A unit that was started
    again begins at zero, which is no growth.
    """
    seen = [(each.at, each.units[unit].read(resource)) for each in samples if unit in each.units]
    grown = [(max(b - a, 0.0), at - was) for (was, a), (at, b) in pairwise(seen) if at > was]
    values = [value for _, value in seen]
    if resource in RATES:
        values = [60 * growth / seconds for growth, seconds in grown]
    if len(values) < LEAST_SAMPLES:
        return None
    middle = median(values)
    if resource in RATES:
        # Bursts are part of it: what counts is the whole, not what was usual.
        middle = 60 * sum(growth for growth, _ in grown) / sum(seconds for _, seconds in grown)
    tenths = quantiles(values, n=10, method="inclusive")
    return Spread(middle, tenths[0], tenths[-1])


def units_in(samples: Sequence[UseSample]) -> list[str]:
    """Every kind of unit that was seen."""
    return sorted({unit for each in samples for unit in each.units})


def compare_resources(
    new: Sequence[UseSample] | None, old: Sequence[UseSample] | None
) -> Iterator[GateFinding]:
    """What the candidate uses more of than the baseline's noise explains.

    Each side's suite runs once, so this needs attention and is never a failure.
    """
    for unit in units_in(new or ()):
        for resource in Resource:
            mine, other = (spread_of(side or (), unit, resource) for side in (new, old))
            if mine is None or other is None:
                continue
            # A rate's samples come in bursts: its noise is in how the whole differs.
            bound = other.median if resource in RATES else other.high
            ratio = WORSE_RATIO**2 if resource in RATES else WORSE_RATIO
            if mine.median > max(bound * ratio, other.median + WORTH[resource]):
                text = f"more: {render_spread(mine, resource)}, {render_spread(other, resource)}"
                text = f"{text} with the baseline"
                yield GateFinding("resources", f"{unit}: {resource}", Severity.ATTENTION, text)


def render_spread(spread: Spread, resource: Resource) -> str:
    """A spread for people, such as '250 MB (240-260)'."""
    middle, low, high = (
        render_amount(value, resource) for value in (spread.median, spread.low, spread.high)
    )
    return middle if resource in RATES else f"{middle} ({low.split()[0]}-{high.split()[0]})"


def render_amount(value: float, resource: Resource) -> str:
    """One figure with its unit."""
    match resource:
        case Resource.MEMORY:
            return f"{value / 2**20:.0f} MB"
        case Resource.CPU:
            return f"{value:.1f} s/min"
        case Resource.LOG:
            return f"{value / 2**10:.0f} kB/min"
        case Resource.THREADS | Resource.DESCRIPTORS:
            return f"{value:.0f}"
        case _:
            assert_never(resource)
