"""What a node is asked: one script that answers in sections, light enough for every two seconds.

What changes seldom and costs more is asked only now and then (`Ask.slow`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from labctl.core.waiting import Patience
from labctl.live.loglines import wanted_lines
from labctl.node import jicofo
from labctl.node.script import ShellScript, sectioned
from labctl.ready.probe import JICOFO_SECONDS, MODULE_FAILED, expected_units
from labctl.ready.units import SHOW
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE, JICOFO, PROSODY, prosody_units, runs, units_of
from labctl.topology.units import PortOrigin

REST_SECONDS = 3.0
MOST_ROOMS = 12
"""Conferences of which every participant is asked for, the largest first."""
LARGE_ROOM = 200
"""Participants from which on a conference is asked only now and then: Jicofo writes some lines
about each."""
MOST_NEW_BYTES = 65536
"""What is read of a log that has grown since the last time; the rest is skipped."""
FIRST_LINES = 400
"""The last lines of a log that is read for the first time."""
MOST_LINES = 20
"""Lines of one log that are brought in one answer."""
[BRIDGE_REST] = (it.number for it in BRIDGE.ports if it.from_ is PortOrigin.LOOPBACK)
[MAIN_S2S] = (it.number for it in PROSODY.ports if it.from_ is PortOrigin.VISITORS)

_UNITS = """
section clock "$(date '+%s.%N %z')" asked {now:.3f}
section units; {show} {units}
section ports; ss -ltnH | awk '{{print $4}}'
"""
_SLOW = """
section slow
section stand-ins; cat /etc/jitsi/STAND-IN 2>/dev/null
"""
_FAILED = "section errors {unit}; grep -F '{failed}' {file} 2>/dev/null | tail -n 5\n"
# Only numbers leave the node: it may have thousands of connections.
_CLIENTS = """
section clients
ss -tnH state established '( {ports} )' | awk '{{ n = split($3, part, ":"); count[part[n]]++ }}
  END {{ for (port in count) print port, count[port] }}'
section links; ss -tnHp state established '( dport = :{main} )'
"""
_BRIDGE = """
section metrics
curl -sf --max-time {seconds} -H 'Accept: application/json' http://127.0.0.1:{port}/metrics
"""
_JICOFO = """
section stats; {stats}
section debug; {debug}
"""
_LOG = """
if size=$(stat -c %s {file} 2>/dev/null); then
  section "log {file} $size"
  if [ {offset} -ge 0 ] && [ {offset} -le "$size" ]
  then tail -c +$(( {offset} + 1 )) {file} | head -c {bytes}
  else tail -n {first} {file}
  fi | grep -E {pattern} | tail -n {most}
fi
"""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask this time: at `now` by this machine's clock.

    `offsets` says how far each log has been read, `rooms` which conferences are asked for.
    """

    now: float
    slow: bool = True
    offsets: Mapping[str, int] = field(default_factory=dict)
    rooms: tuple[str, ...] = ()


def render_question(node: Node, ask: Ask, *, patience: Patience) -> ShellScript:
    """The script for a node, to be run as root."""
    return sectioned("".join(_parts(node, ask, patience)))


def _parts(node: Node, ask: Ask, patience: Patience) -> Iterator[str]:
    yield _UNITS.format(now=ask.now, show=SHOW, units=" ".join(expected_units(node)))
    if ask.slow:
        yield _SLOW
        for unit in prosody_units(node):
            yield _FAILED.format(unit=unit.name, failed=MODULE_FAILED, file=unit.error_log)
    if node.vnodes:
        ports = [port for it in node.vnodes for port in (it.http_port, it.s2s_port)]
        listed = " or ".join(f"sport = :{port}" for port in ports)
        yield _CLIENTS.format(ports=listed, main=MAIN_S2S)
    if runs(node, BRIDGE):
        yield _BRIDGE.format(seconds=patience.whole(REST_SECONDS), port=BRIDGE_REST)
    if runs(node, JICOFO):
        yield from _ask_jicofo(ask, patience)
    yield from _ask_logs(node, ask)


def _ask_jicofo(ask: Ask, patience: Patience) -> Iterator[str]:
    get = partial(jicofo.render_get, patience=patience, seconds=JICOFO_SECONDS)
    yield _JICOFO.format(stats=get(jicofo.STATS), debug=get(jicofo.DEBUG))
    if ask.slow:
        yield f"section connections; {jicofo.CONNECTIONS}\n"
    for room in ask.rooms[:MOST_ROOMS]:
        # A section's name is one word of the shell and one line.
        title = shlex.quote(f"room {room}")
        yield f"section {title}; {get(jicofo.conference_path(room))}\n"


def _ask_logs(node: Node, ask: Ask) -> Iterator[str]:
    for file, pattern in logs_of(node).items():
        yield _LOG.format(
            file=file,
            offset=ask.offsets.get(file, -1),
            bytes=MOST_NEW_BYTES,
            first=FIRST_LINES,
            pattern=shlex.quote(pattern),
            most=MOST_LINES,
        )


def logs_of(node: Node) -> Mapping[str, str]:
    """The logs of a node that are followed, each with the pattern of what matters in it."""
    return {
        wanted.file: wanted.pattern
        for unit in units_of(node)
        if (wanted := wanted_lines(unit)) is not None
    }
