"""The log lines that matter while one watches: what went wrong, and what changes a lab's shape.

What every participant does (joins, redirections) is left out: the tables count it, and a crowd
would fill the pane.  Messages: docs/facts/jicofo-log.md, 3; docs/facts/videobridge.md, 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from labctl.node.sections import Sections
from labctl.report.lines import LogLine
from labctl.report.logs import Clock, parse_clock, parse_line, source_of
from labctl.topology.roles import BRIDGE, JICOFO, NGINX, PROSODY
from labctl.topology.units import UnitFacts

MOST_TEXT = 400
"""Characters of one line; a stanza in a log may be very long."""

_JITSI_TROUBLE = r" (WARNING|SEVERE): "
_JICOFO = (
    r"Starting Jicofo\.|Registered \(resumed",
    r"Added new videobridge|Removing JVB|Lost a bridge|SHUTTING_DOWN",
    r"Created new conference|Last member left|Re-inviting|Visitors is now",
)
_BRIDGE = (
    r"Starting jitsi-videobridge|Joined MUC:",
    r"create_conf|expire_conf",
    r"Received (drain|shutdown) request|graceful shutdown mode|SHUTTING_DOWN",
)
# Jicofo writes it as a warning at each of its starts.
_NOISE = re.compile(r"Discovered components: ")
_PROSODY = (
    # A tab, which grep's expressions cannot name.
    "\t(warn|error)\t",
    r"Prosody is using|Received SIG|s2s connection .* complete",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A log, and the extended regular expression of the lines that matter in it."""

    file: str
    pattern: str


def wanted_lines(unit: UnitFacts) -> Wanted | None:
    """What to follow of a unit; None if it has no log, or none that matters."""
    match unit.program:
        case JICOFO.program:
            return Wanted(unit.error_log, "|".join((_JITSI_TROUBLE, *_JICOFO)))
        case BRIDGE.program:
            return Wanted(unit.error_log, "|".join((_JITSI_TROUBLE, *_BRIDGE)))
        case PROSODY.program:
            # The log of errors has them only; the other has errors, too.
            return Wanted(unit.error_log.removesuffix("err") + "log", "|".join(_PROSODY))
        case NGINX.program:
            return Wanted(unit.error_log, unit.error_lines)
        case _:
            return None


def parse_lines(sections: Sections, *, node: str) -> tuple[list[LogLine], dict[str, int]]:
    """The lines in a node's answer in order of time, and how far each log has been read.

    Times are by the clock of the machine that asked.
    """
    clock = read_clock(sections)
    found: list[LogLine] = []
    offsets: dict[str, int] = {}
    for title, lines in sections.family("log").items():
        file, _, size = title.rpartition(" ")
        if not size.isdigit():
            continue
        offsets[file] = int(size)
        found += _parse(lines, source=source_of(file), node=node, clock=clock)
    return sorted(found, key=lambda line: line.time), offsets


def read_clock(sections: Sections) -> Clock:
    """The clock that the node's answer tells of."""
    clocks = (parse_clock(title) for title in sections)
    return next((clock for clock in clocks if clock is not None), Clock())


def _parse(lines: Iterable[str], *, source: str, node: str, clock: Clock) -> Iterator[LogLine]:
    for line in lines:
        entry = parse_line(line[: MOST_TEXT * 2], source=source, node=node, clock=clock)
        if entry is not None and not _NOISE.search(entry.text):
            yield shortened(entry)


def shortened(line: LogLine) -> LogLine:
    """The same line, its text at most MOST_TEXT characters."""
    if len(line.text) <= MOST_TEXT:
        return line
    return LogLine(
        line.time, line.exact, line.node, line.source, line.level, f"{line.text[:MOST_TEXT]}…"
    )
