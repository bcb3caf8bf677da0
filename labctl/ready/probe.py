"""What one node reports about itself, read with a single command over ssh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from labctl.core.waiting import Patience
from labctl.node import jicofo
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.seam import NodeError
from labctl.node.sections import Sections
from labctl.ready.units import SHOW, UnitState, parse_units
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.packages import node_packages
from labctl.topology.roles import JICOFO, managed_units, prosody_units, runs

MODULE_FAILED = "Error initializing module"

# Works in any POSIX shell.  Each program costs time on every node, all of which are asked at once.
_SIGNALS = """
section units; {show} {units}
section ports; ss -ltnH | awk '{{print $4}}'
section clock; date +%s
section randomness
dd if=/dev/random of=/dev/null bs=1 count=1 iflag=nonblock 2>/dev/null || echo none
"""
_PACKAGES = """
section stand-ins; cat /etc/jitsi/STAND-IN 2>/dev/null
section versions
dpkg-query -W -f '${{Package}} ${{Version}} ${{db:Status-Abbrev}}\n' {packages} 2>/dev/null
"""
_ERRORS = """
section errors {unit}; sudo grep -F 'Error initializing module' {file} 2>/dev/null
"""
_JICOFO = """
section stats; {stats}
section debug; {debug}
section connections; {connections}
section lost; {lost}
"""
JICOFO_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node said; `error` instead of everything else when it did not answer."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    failed_modules: tuple[str, ...] = ()
    stats: jicofo.Stats | None = None
    bridges: Mapping[str, jicofo.Bridge] = field(default_factory=dict)
    """What Jicofo knows of them, by nick; of the JMS only, as `stats` and `connections`."""
    connections: frozenset[str] = frozenset()
    seat_lost: bool = False
    """Prosody says that Jicofo is not in the brewery."""
    stand_ins: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    clock: float | None = None
    """What its clock said, in seconds since 1970."""
    starved: bool = False
    """Its kernel has no randomness to give yet."""
    error: str | None = None


def expected_units(node: Node) -> tuple[str, ...]:
    """The units that must run on a node before its lab is ready."""
    return tuple(unit.name for unit in managed_units(node))


def probe(lab: Lab, node: Node, *, seconds: float = 15.0, packages: bool = True) -> NodeState:
    """Ask one node, if wanted for its packages, too; one that does not answer is a state, not an
    error."""
    script = sectioned(_script(node, lab.patience, packages=packages))
    try:
        answer = reach(lab).run(node.name, script, seconds=seconds, check=False)
    except NodeError as error:
        return NodeState(error=error.message)
    if not answer.sections:
        return NodeState(error=answer.last_words)
    return parse_probe(answer.sections)


def parse_probe(sections: Sections) -> NodeState:
    """The state that the sections of a probe's answer describe."""
    units = parse_units(sections.lines("units"))
    failed = [
        line
        for unit, lines in sections.family("errors").items()
        for line in lines
        if _is_current(line, units.get(unit))
    ]
    ports = (line.rpartition(":")[2] for line in sections.lines("ports"))
    return NodeState(
        units=units,
        ports=frozenset(int(port) for port in ports if port.isdigit()),
        failed_modules=tuple(failed),
        stats=jicofo.parse_stats(sections.text("stats")),
        bridges=jicofo.parse_bridges(sections.text("debug")),
        connections=jicofo.parse_connections(sections.lines("connections")),
        seat_lost=bool(sections.text("lost").strip()),
        stand_ins=tuple(line.split()[0] for line in sections.lines("stand-ins") if line.strip()),
        clock=_parse_clock(sections.lines("clock")),
        starved="none" in sections.lines("randomness"),
        versions=dict(_parse_versions(sections.lines("versions"))),
    )


def _script(node: Node, patience: Patience, *, packages: bool) -> str:
    script = _SIGNALS.format(show=SHOW, units=" ".join(expected_units(node)))
    if packages:
        script += _PACKAGES.format(packages=" ".join(node_packages(node)))
    if runs(node, JICOFO):
        script += _ask_jicofo(patience)
    logs = [_ERRORS.format(unit=it.name, file=it.error_log) for it in prosody_units(node)]
    return script + "".join(logs)


def _ask_jicofo(patience: Patience) -> str:
    get = partial(jicofo.render_get, patience=patience, seconds=JICOFO_SECONDS)
    return _JICOFO.format(
        stats=get(jicofo.STATS),
        debug=get(jicofo.DEBUG),
        connections=jicofo.CONNECTIONS,
        lost=jicofo.SEAT_LOST,
    )


def _parse_clock(lines: Sequence[str]) -> float | None:
    return next((float(line) for line in lines if line.strip().isdigit()), None)


def _parse_versions(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, rest = line.partition(" ")
        version, _, status = rest.partition(" ")
        if status.startswith("ii"):
            yield name, version


def _is_current(line: str, unit: UnitState | None) -> bool:
    """Whether a Prosody log line (`Nov 21 13:15:45 ...`) is of the unit's present run; a failure of
    an earlier start is not held against it."""
    if unit is None or unit.since is None:
        return True
    try:
        at = datetime.strptime(f"{unit.since.year} {line[:15]}", "%Y %b %d %H:%M:%S")
    except ValueError:
        return True
    return at >= unit.since
