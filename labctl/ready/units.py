"""The units of a node: one call of systemctl for all of them, and what it said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SHOW = (
    "systemctl show -p Id -p ActiveState -p SubState -p NRestarts -p UnitFileState"
    " -p ActiveEnterTimestamp -p MainPID -p Result"
)
"""Shell; names of units follow."""

_SINCE = re.compile(r"^\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd shows it; `since` is None for one that never ran, by the node's clock."""

    active: str
    sub: str
    restarts: int
    enabled: str
    since: datetime | None
    pid: int = 0
    """Its main process; 0 for a unit without one."""
    result: str = ""
    """How its last run ended, or goes: 'success', 'exit-code', 'oom-kill' ..."""


def parse_units(lines: Sequence[str]) -> dict[str, UnitState]:
    """The units, by name, of what `SHOW` printed."""
    return {block["Id"]: _state(block) for block in _blocks(lines) if block.get("Id")}


def _blocks(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    """The properties of each unit; an empty line is between two of them."""
    block: dict[str, str] = {}
    for line in (*lines, ""):
        name, equals, value = line.partition("=")
        if equals:
            block[name] = value
        elif block:
            yield block
            block = {}


def _state(block: Mapping[str, str]) -> UnitState:
    since = _SINCE.match(block.get("ActiveEnterTimestamp", ""))
    pid = block.get("MainPID", "")
    return UnitState(
        active=block.get("ActiveState", "unknown"),
        sub=block.get("SubState", "unknown"),
        restarts=int(block.get("NRestarts") or 0),
        enabled=block.get("UnitFileState", ""),
        since=datetime.fromisoformat(since[1]) if since else None,
        pid=int(pid) if pid.isdigit() else 0,
        result=block.get("Result", ""),
    )
