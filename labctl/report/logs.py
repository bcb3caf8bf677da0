"""Reads collected logs: every program's own way of writing the time, into one order.

The text of a node is what `labctl.lab.collect` brings.  Formats, each as seen on nodes:

    Jicofo 2026-11-21 14:14:41.943 INFO: [44] ...       (the bridge: JVB)
    Nov 21 14:14:27 startup<TAB>info<TAB>...            (Prosody: whole seconds, no year)
    Nov 21 14:14:08.221608 jms systemd[1]: ...          (the journal, short-precise: no year)
    10.77.12.1 - - [21/Nov/2026:14:14:41 +0000] "GET ... HTTP/1.1" 101 12784 ...   (nginx)
    2026/11/21 14:14:41 [error] 123#123: ...            (nginx)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from labctl.node.sections import parse_sections
from labctl.report.lines import LogLine
from labctl.topology.logs import shared_log_folders

SLOW_CLOCK_SECONDS = 2.0
"""A node's clock counts as wrong from here on; less may be the time that asking took."""
LONGEST_ENTRY = 12
"""Lines of one entry (a stack trace, say) that are kept."""

_JITSI = re.compile(r"^(?:Jicofo|JVB) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.(\d+) (\w+): (.*)")
_PROSODY = re.compile(r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\S+)\t(\w+)\t(.*)")
_JOURNAL = re.compile(
    r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\.(\d+) \S+ ([^\[:\s]+)(?:\[\d+\])?: (.*)"
)
_ACCESS = re.compile(r"^\S+ \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] (\".*)")
_NGINX = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (.*)")
_CLOCK = re.compile(r"^clock (\d+\.\d+) ([+-])(\d\d)(\d\d) asked (\d+\.\d+)")
_STATUS = re.compile(r'" (\d{3}) ')

_LEVELS = {
    "SEVERE": "error",
    "ERROR": "error",
    "WARNING": "warning",
    "WARN": "warning",
    "error": "error",
    "crit": "error",
    "alert": "error",
    "emerg": "error",
    "warn": "warning",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """A node's clock: its zone, its time when asked, and how far it is from the asker's."""

    zone: timezone = UTC
    now: float | None = None
    offset: float = 0.0


def parse_node(text: str, *, node: str) -> list[LogLine]:
    """Every entry of one node's logs, in the order of the files; sections without times left out.

    Times are by the clock of the machine that asked: a node's clock that is wrong by more than
    SLOW_CLOCK_SECONDS is set right.
    """
    sections = parse_sections(text)
    clocks = [found for title in sections if (found := parse_clock(title)) is not None]
    clock = clocks[-1] if clocks else Clock()
    entries = [
        entry
        for title in sections
        if title == "journal" or title.startswith("/")
        for entry in _entries(sections.lines(title), title=title, node=node, clock=clock)
    ]
    return list(_without_copies(entries))


def merge(nodes: Mapping[str, str]) -> list[LogLine]:
    """The logs of all nodes (name to text) in order of time.

    Within one log the order is the log's own; among logs a line of whole seconds counts as
    written at the beginning of its second.
    """
    entries = [entry for name, text in nodes.items() for entry in parse_node(text, node=name)]
    return sorted(entries, key=lambda entry: entry.time)


def parse_clock(title: str) -> Clock | None:
    """The clock that a section's title tells of, or None."""
    found = _CLOCK.match(title)
    if found is None:
        return None
    now, sign, hours, minutes, asked = found.groups()
    east = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    offset = float(now) - float(asked)
    wrong = abs(offset) > SLOW_CLOCK_SECONDS
    return Clock(timezone(east), float(now), offset if wrong else 0.0)


def _entries(lines: Iterable[str], *, title: str, node: str, clock: Clock) -> Iterator[LogLine]:
    """A line without a time belongs to the one before it."""
    pending: LogLine | None = None
    kept, source = 0, source_of(title)
    for line in lines:
        entry = parse_line(line, source=source, node=node, clock=clock)
        if entry is not None:
            if pending is not None:
                yield pending
            pending, kept = entry, 1
        elif pending is not None and line.strip() and kept < LONGEST_ENTRY:
            kept += 1
            pending = replace(pending, text=f"{pending.text}\n{line.rstrip()}")
    if pending is not None:
        yield pending


def parse_line(line: str, *, source: str, node: str, clock: Clock) -> LogLine | None:
    """One line of a log, or None if it does not begin with a time."""
    try:
        return _parse_line(line, source=source, node=node, clock=clock)
    except ValueError:  # it looks like a time and is none
        return None


def _parse_line(line: str, *, source: str, node: str, clock: Clock) -> LogLine | None:
    def entry(at: float, exact: bool, who: str, level: str, text: str) -> LogLine:
        return LogLine(at - clock.offset, exact, node, who, level, text)

    if found := _JITSI.match(line):
        second, fraction, level, text = found.groups()
        at = _local(second, "%Y-%m-%d %H:%M:%S", clock.zone) + float(f"0.{fraction}")
        return entry(at, True, source, _LEVELS.get(level, "info"), text)
    if found := _PROSODY.match(line):
        second, part, level, text = found.groups()
        at = _yearless(second, clock)
        return entry(at, False, source, _LEVELS.get(level, "info"), f"{part}: {text}")
    if found := _JOURNAL.match(line):
        second, fraction, tag, text = found.groups()
        at = _yearless(second, clock) + float(f"0.{fraction}")
        return entry(at, True, tag, "info", text)
    if found := _ACCESS.match(line):
        second, text = found.groups()
        at = datetime.strptime(second, "%d/%b/%Y:%H:%M:%S %z").timestamp()
        status = _STATUS.search(text)
        bad = status is not None and status[1].startswith("5")
        return entry(at, False, source, "error" if bad else "info", text)
    if found := _NGINX.match(line):
        second, level, text = found.groups()
        at = _local(second, "%Y/%m/%d %H:%M:%S", clock.zone)
        return entry(at, False, source, _LEVELS.get(level, "info"), text)
    return None


def source_of(title: str) -> str:
    """What a log is called: `/var/log/prosody-v1/prosody.log` is 'prosody-v1'."""
    folder, _, name = title.rpartition("/")
    if folder in shared_log_folders():
        return name.partition(".")[0]
    return folder.rpartition("/")[2]


@lru_cache(maxsize=4096)
def _local(text: str, layout: str, zone: timezone) -> float:
    return datetime.strptime(text, layout).replace(tzinfo=zone).timestamp()


def _yearless(text: str, clock: Clock) -> float:
    """A time without a year lies in the twelve months before the clock was asked."""
    now = clock.now if clock.now is not None else datetime.now(UTC).timestamp()
    year = datetime.fromtimestamp(now, clock.zone).year
    try:
        at = _local(f"{year} {text}", "%Y %b %d %H:%M:%S", clock.zone)
    except ValueError:  # 29 February, read in the year after
        at = float("inf")
    if at > now + timedelta(days=1).total_seconds():
        return _local(f"{year - 1} {text}", "%Y %b %d %H:%M:%S", clock.zone)
    return at


def _without_copies(entries: Iterable[LogLine]) -> Iterator[LogLine]:
    """Prosody writes an error to prosody.log and to prosody.err: once is enough."""
    seen: set[tuple[float, str, str]] = set()
    for entry in entries:
        key = (entry.time, entry.source, entry.text)
        if entry.source.startswith("prosody"):
            if entry.level != "info" and key in seen:
                continue
            seen.add(key)
        yield entry
