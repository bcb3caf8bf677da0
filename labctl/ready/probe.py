"""What one node says of itself, asked in a single command over ssh."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from labctl.errors import LabError
from labctl.model import Node, Role
from labctl.ssh import run_on
from labctl.waiting import whole
from labctl.workdir import Workdir

MARK = "=== "
MODULE_FAILED = "Error initializing module"

# Works in any POSIX shell; every section begins with MARK and its name.  Times of log lines are
# compared with the unit's start, so that a failure of an earlier start is not held against it.
_UNITS = """
for unit in {units}; do
  echo "=== unit $unit"
  systemctl show -p ActiveState -p SubState -p NRestarts -p UnitFileState "$unit"
  since=$(systemctl show -P ActiveEnterTimestamp "$unit")
  [ -n "$since" ] && echo "Since=$(date -d "$since" '+%Y %b %d %H:%M:%S')"
done
echo "=== ports"; ss -ltnH | awk '{{print $4}}'
echo "=== stand-ins"; cat /etc/jitsi/STAND-IN 2>/dev/null
echo "=== versions"
dpkg-query -W -f '${{Package}} ${{Version}} ${{db:Status-Abbrev}}\n' {packages} 2>/dev/null
"""
PACKAGES = (
    "jicofo",
    "jitsi-videobridge2",
    "jitsi-meet-prosody",
    "jitsi-meet-web-config",
    "jitsi-meet-web",
    "prosody",
    "nginx",
)
_ERRORS = """
echo "=== errors {unit}"; sudo grep -F 'Error initializing module' {file} 2>/dev/null
"""
_JICOFO = """
echo "=== stats"; curl -sf --max-time {patient} http://127.0.0.1:8888/stats
echo; echo "=== debug"; curl -sf --max-time {patient} http://127.0.0.1:8888/debug
echo; echo "=== connections"
sudo tac /var/log/jitsi/jicofo.log 2>/dev/null | sed '/Starting Jicofo\\.$/q' |
  sed -n 's/.*xmpp_connection=\\([^] ]*\\).*Registered (resumed.*/\\1/p' | sort -u
"""


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd shows it; `since` is None for one that never ran."""

    active: str
    sub: str
    restarts: int
    enabled: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node said; `error` instead of everything else when it did not answer."""

    units: Mapping[str, UnitState] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    failed_modules: tuple[str, ...] = ()
    stats: Mapping[str, Any] | None = None
    debug: Mapping[str, Any] | None = None
    connections: frozenset[str] = frozenset()
    stand_ins: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def expected_units(node: Node) -> tuple[str, ...]:
    """The units that a node of this role must run."""
    vnodes = tuple(vnode.unit for vnode in node.vnodes)
    if node.role is Role.VISITORS:
        return ("nftables.service", *vnodes)
    bridge = ("nftables.service", "jitsi-videobridge2.service")
    if node.role is Role.JVB:
        return bridge
    turn = ("coturn.service",) if node.turn else ()
    return (*bridge, "prosody.service", "nginx.service", "jicofo.service", *turn, *vnodes)


def probe(workdir: Workdir, node: Node, *, timeout: float = 15.0) -> NodeState:
    """Ask one node; a node that does not answer is a state too, not an error."""
    try:
        result = run_on(workdir, node.name, _script(node), timeout=timeout, check=False)
    except LabError as error:
        return NodeState(error=error.message)
    sections = split_sections(result.output)
    if not sections:
        said = (result.errors or result.output).strip().splitlines()
        return NodeState(error=said[-1] if said else f"ssh ended with status {result.code}")
    return parse_probe(sections)


def parse_probe(sections: Mapping[str, Sequence[str]]) -> NodeState:
    """The state that the sections of a probe's output describe."""
    units = {
        title.removeprefix("unit "): _parse_unit(lines)
        for title, lines in sections.items()
        if title.startswith("unit ")
    }
    failed = [
        line
        for title, lines in sections.items()
        if title.startswith("errors ")
        for line in lines
        if _is_current(line, units.get(title.removeprefix("errors ")))
    ]
    ports = (line.rpartition(":")[2] for line in sections.get("ports", ()))
    return NodeState(
        units=units,
        ports=frozenset(int(port) for port in ports if port.isdigit()),
        failed_modules=tuple(failed),
        stats=_parse_json(sections.get("stats", ())),
        debug=_parse_json(sections.get("debug", ())),
        connections=frozenset(line.strip() for line in sections.get("connections", ()) if line),
        stand_ins=tuple(line.split()[0] for line in sections.get("stand-ins", ()) if line.strip()),
        versions=dict(_parse_versions(sections.get("versions", ()))),
    )


def _script(node: Node) -> str:
    script = _UNITS.format(units=" ".join(expected_units(node)), packages=" ".join(PACKAGES))
    logs = {vnode.unit: f"/var/log/prosody-{vnode.name}/prosody.err" for vnode in node.vnodes}
    if node.role is Role.JMS:
        logs["prosody.service"] = "/var/log/prosody/prosody.err"
        script += _JICOFO.format(patient=whole(3))
    return script + "".join(_ERRORS.format(unit=unit, file=file) for unit, file in logs.items())


def split_sections(output: str) -> dict[str, list[str]]:
    """The lines of a script's output below each title; a title's line begins with MARK."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith(MARK):
            current = sections.setdefault(line.removeprefix(MARK), [])
        else:
            current.append(line)
    return sections


def _parse_unit(lines: Sequence[str]) -> UnitState:
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    since = values.get("Since")
    return UnitState(
        active=values.get("ActiveState", "unknown"),
        sub=values.get("SubState", "unknown"),
        restarts=int(values.get("NRestarts") or 0),
        enabled=values.get("UnitFileState", ""),
        since=datetime.strptime(since, "%Y %b %d %H:%M:%S") if since else None,
    )


def _parse_versions(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, rest = line.partition(" ")
        version, _, status = rest.partition(" ")
        if status.startswith("ii"):
            yield name, version


def _is_current(line: str, unit: UnitState | None) -> bool:
    """Whether a Prosody log line (`Nov 21 13:15:45 ...`) is of the unit's present run."""
    if unit is None or unit.since is None:
        return True
    try:
        at = datetime.strptime(f"{unit.since.year} {line[:15]}", "%Y %b %d %H:%M:%S")
    except ValueError:
        return True
    return at >= unit.since


def _parse_json(lines: Sequence[str]) -> Mapping[str, Any] | None:
    try:
        data = json.loads("\n".join(lines))
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
