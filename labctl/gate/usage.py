"""What nodes and their units used of the processors, and how long packages' programs take to start.

CPU time is what load changes least: a program that waits its turn uses no more of it.  How long a
start takes is measured on the node itself, from the unit's start until the program says that it is
ready, so that neither ssh nor the order in which nodes come up is part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from labctl.core.waiting import Patience
from labctl.drills.answering import HEALTH_SECONDS, render_wait_health
from labctl.node import jicofo
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import NodeError
from labctl.ready.probe import expected_units
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE, JICOFO
from labctl.topology.units import UnitFacts

PROBES_AT_ONCE = 16
START_SECONDS = 45.0
"""A start that takes longer is not counted: something else is wrong, and readiness says so."""

# A unit's own CPU time: systemd knows it if there is one hierarchy of cgroups; in the older
# kind its processes are added up.  In a node of the older kind paths may have the container's in
# front or not.
_FUNCTIONS = r"""
ticks=$(getconf CLK_TCK)
unit_cpu() {
  used=$(systemctl show -P CPUUsageNSec "$1")
  case "$used" in
    ''|*[!0-9]*) ;;
    *) awk -v n="$used" 'BEGIN { printf "%.3f\n", n / 1e9 }'; return ;;
  esac
  group=$(systemctl show -P ControlGroup "$1")
  [ -n "$group" ] || return
  for pid in $(cat /sys/fs/cgroup/systemd"$group"/cgroup.procs 2>/dev/null); do
    sed 's/.*) //' /proc/"$pid"/stat 2>/dev/null
  done | awk -v t="$ticks" '{ n += $12 + $13 + $14 + $15 } END { printf "%.3f\n", n / t }'
}
node_cpu() {
  path=$(sed -n 's/^[0-9]*:\([^:]*,\)\{0,1\}cpuacct[^:]*://p' /proc/1/cgroup | head -n 1)
  file=/sys/fs/cgroup/cpuacct"$path"/cpuacct.usage
  if [ -n "$path" ] && [ -r "$file" ]; then
    awk '{ printf "%.3f\n", $1 / 1e9 }' "$file"; return
  fi
  path=$(sed -n 's/^0:://p' /proc/1/cgroup)
  awk '$1 == "usage_usec" { printf "%.3f\n", $2 / 1e6 }' \
    /sys/fs/cgroup"${path%/init.scope}"/cpu.stat 2>/dev/null
}
"""
_ASK = """
echo "node $(node_cpu)"
for unit in {units}; do echo "unit $unit $(unit_cpu "$unit")"; done
"""
_START = """
systemctl stop {unit}
size=$(stat -c %s {log} 2>/dev/null || echo 0)
began=$(date +%s%N)
systemctl start {unit}
ended=$((began + {limit} * 1000000000))
while ! {check} && [ "$(date +%s%N)" -lt "$ended" ]; do sleep 0.05; done
now=$(date +%s%N)
[ "$now" -lt "$ended" ] && echo "start {name} $(((now - began) / 1000000)) $(unit_cpu {unit})"
"""
# A bridge is ready when it has joined the brewery, by its own log; Jicofo when it says that every
# bridge is operational.
_JOINED = f"{{ tail -c +$((size + 1)) {BRIDGE.error_log} 2>/dev/null | grep -q 'Joined MUC'; }}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU: the whole node's since it began, None if unknown, and its units'."""

    node: float | None = None
    units: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """One start of a package's program: seconds until it was ready, and of CPU until then."""

    name: str
    seconds: float
    cpu: float | None


def ask_usage(lab: Lab) -> dict[str, Usage]:
    """What every node used so far; one that does not answer is unknown."""

    def ask(node: Node) -> Usage:
        script = _FUNCTIONS + _ASK.format(units=" ".join(expected_units(node)))
        try:
            work = ShellScript(script)
            answer = reach(lab).run(node.name, work, sudo=True, seconds=15, check=False)
        except NodeError:
            return Usage()
        return parse_usage(answer.output)

    with ThreadPoolExecutor(PROBES_AT_ONCE) as pool:
        found = pool.map(ask, lab.topology.nodes)
        return dict(zip((node.name for node in lab.topology.nodes), found, strict=True))


def parse_usage(text: str) -> Usage:
    """What a node's answer says."""
    node, units = None, {}
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["node"] and len(words) == 2:
            node = float(words[1])
        elif words[:1] == ["unit"] and len(words) == 3:
            units[words[1]] = float(words[2])
    return Usage(node, units)


def sum_units(usages: Mapping[str, Usage]) -> dict[str, float]:
    """CPU seconds of all nodes by kind of unit: every `prosody-v@N.service` is one kind."""
    total: dict[str, float] = {}
    for usage in usages.values():
        for unit, seconds in usage.units.items():
            name = unit.removesuffix(".service").partition("@")[0]
            total[name] = total.get(name, 0.0) + seconds
    return total


def time_starts(lab: Lab, *, times: int) -> list[Started]:
    """Start a bridge and Jicofo again, some times each, in a lab that is ready.

    A start that does not get ready is left out.  Errors: LabError when a node does not answer.
    """
    # Not named by its nick: in a lab without further bridges that one is on the JMS.
    bridge = [node.name for node in lab.topology.nodes if node.bridge][-1]
    jms = lab.topology.jms.name
    count = len(lab.topology.bridges)
    operational = jicofo.render_all_operational(count, patience=lab.patience)
    # A bridge that joined the brewery a moment ago may not be up yet, and would end otherwise than
    # one that is (labctl.drills.answering).
    answers = render_wait_health(lab.patience)
    start_bridge = f"{answers}\n{_start_script(BRIDGE, _JOINED, patience=lab.patience)}"
    return [
        *_time(lab, bridge, start_bridge, times=times),
        *_time(lab, jms, _start_script(JICOFO, operational, patience=lab.patience), times=times),
    ]


def _time(lab: Lab, node: str, script: str, *, times: int) -> Iterator[Started]:
    work = ShellScript(_FUNCTIONS + script * times)
    seconds = lab.patience.scaled((START_SECONDS + HEALTH_SECONDS + 30) * times)
    answer = reach(lab).run(node, work, sudo=True, seconds=seconds, check=False)
    yield from parse_starts(answer.output.splitlines())


def parse_starts(lines: Sequence[str]) -> Iterator[Started]:
    """The starts that a node tells of, one a line."""
    for words in map(str.split, lines):
        if words[:1] == ["start"] and len(words) >= 3:
            cpu = float(words[3]) if len(words) > 3 else None
            yield Started(words[1], int(words[2]) / 1000, cpu)


def _start_script(unit: UnitFacts, check: str, *, patience: Patience) -> str:
    return _START.format(
        unit=unit.name,
        name=unit.stem,
        log=unit.error_log,
        check=check,
        limit=patience.whole(START_SECONDS),
    )
