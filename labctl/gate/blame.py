"""Which package is to blame if nodes run but do not become ready: one that starts and dies, say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labctl.core.errors import LabError
from labctl.gate.model import Trouble
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.ready import NodeState, judge_signals, probe_all
from labctl.ready.units import UnitState
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.roles import all_units, prosody_units, units_of
from labctl.topology.units import UnitFacts

EVIDENCE_LINES = 12


@dataclass(frozen=True, slots=True)
class Suspect:
    """A unit that does not work: its node, its package, and what was seen."""

    node: str
    unit: str
    package: str
    log: str
    seen: str
    ended: bool = True
    """It had begun and went wrong.  What was not reached may only wait for what did."""


def find_trouble(lab: Lab, *, phase: str, error: LabError) -> Trouble:
    """What went wrong in an `up` that failed after its machines had started."""
    states = probe_all(lab, lab.topology.nodes)
    silent = [f"node '{name}': {state.error}" for name, state in states.items() if state.error]
    if silent:
        return Trouble(phase, error.message, packages=False, evidence=tuple(silent))
    found = suspects(lab.topology, states)
    if not found:
        missing = [f"{s.name}: {s.seen}" for s in judge_signals(lab.topology, states) if not s.ok]
        evidence = tuple(missing) or ("now every unit runs and every port answers",)
        return Trouble(phase, error.message, packages=True, evidence=evidence, hint=error.hint)
    first = found[0]
    evidence = tuple(f"{each.node}: {each.unit} {each.seen}" for each in found)
    return Trouble(
        phase,
        error.message,
        packages=True,
        package=first.package,
        evidence=(*evidence, *_last_words(lab, first)),
        hint=error.hint,
    )


def suspects(topology: Topology, states: Mapping[str, NodeState]) -> list[Suspect]:
    """Units that do not run, that systemd had to restart, or that do not do their work.

    Those that ended come before those that are not up: provisioning stops at the first one that
    ends, and what it had not started yet is not to blame.  Among equals, units that others wait
    for come first.
    """
    found: dict[tuple[str, str], tuple[UnitFacts, Suspect]] = {}
    for node in topology.nodes:
        for unit, seen, ended in _of_node(node, states[node.name]):
            suspect = Suspect(node.name, unit.name, unit.package, unit.error_log, seen, ended)
            found.setdefault((node.name, unit.name), (unit, suspect))
    order = list(dict.fromkeys(unit.program for unit in all_units()))
    ranked = sorted(
        found.values(), key=lambda pair: (not pair[1].ended, order.index(pair[0].program))
    )
    return [suspect for _, suspect in ranked]


def _of_node(node: Node, state: NodeState) -> Iterator[tuple[UnitFacts, str, bool]]:
    units = [unit for unit in units_of(node) if unit.package]
    for unit in units:
        seen = state.units.get(unit.name)
        if seen is None:
            continue
        if seen.active != "active":
            yield unit, f"is {seen.active} ({seen.sub})", has_ended(seen)
        elif seen.restarts:
            yield unit, f"ended and was started again {seen.restarts} times", True
    for line in state.failed_modules:
        yield prosody_units(node)[0], f"says: {line}", True
    # A unit may say that it runs although nobody listens: Jicofo's init script does not notice
    # that Java has died (docs/facts/packages.md, 2).
    for unit in units:
        for port in () if unit.vnode else unit.signal_ports:
            if port not in state.ports:
                yield unit, f"does not listen on its port {port}", False


def has_ended(unit: UnitState) -> bool:
    """Whether a unit that does not run had begun to, and went wrong."""
    return unit.active == "failed" or unit.sub == "auto-restart" or unit.restarts > 0


def _last_words(lab: Lab, suspect: Suspect) -> list[str]:
    """The last lines of the unit's own log and of the journal about it."""
    script = (
        f"tail -n {EVIDENCE_LINES} {suspect.log} 2>/dev/null; "
        f"journalctl -b -u {suspect.unit} --no-pager -o cat -n {EVIDENCE_LINES} 2>/dev/null"
    )
    try:
        work = ShellScript(script)
        output = reach(lab).run(suspect.node, work, sudo=True, seconds=20, check=False).output
    except LabError as error:
        return [f"its log cannot be read: {error.message}"]
    # What starts and dies says the same every time.
    lines = dict.fromkeys(line.rstrip() for line in output.splitlines() if line.strip())
    return [f"  | {line}" for line in lines][-2 * EVIDENCE_LINES :]
