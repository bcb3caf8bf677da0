"""Which lines of all logs a reader of a failure needs: near in time, or about the same thing."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from labctl.report.model import Excerpt, LogLine

MARGIN_SECONDS = 2.0
"""Shown before a test began and after it ended; Prosody's lines are exact to a second only."""
MOST_LINES = 80
MOST_BEFORE = 12
RECENT_SECONDS = 300.0
"""How far back warnings may matter to a test that names nothing."""

NOISE = frozenset(
    ("sshd", "sshd-session", "sshd-auth", "sudo", "su", "runuser", "systemd-logind", "(systemd)")
)
"""What the suite's own commands leave in a journal."""

_LOUD = re.compile(
    r"fail|error|timed out|time-out|refused|killed|exited|core-dump|no bridge|no operational"
    r"|unhealthy|not operational|Lost a bridge|Removed brewery|Re-inviting|reconnect|disconnect"
    r"|Stopp(?:ed|ing)|Start(?:ed|ing) |Registered|Added new videobridge|Joined MUC"
    r"|connection closed|denied|not found",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w@.-]+")


def is_noise(entry: LogLine) -> bool:
    """Whether the suite itself caused this line: sessions over ssh, and what sudo notes."""
    return entry.source in NOISE or "user@" in entry.text or "user-1000" in entry.text


def excerpt(
    entries: Sequence[LogLine], *, start: float, end: float, about: Iterable[str] = ()
) -> Excerpt:
    """The lines around a test that ran from `start` to `end`; `entries` are in order of time.

    Where there are too many the loud ones stay, then the latest.  `about` are words of the
    test's name and message (nodes, units): earlier loud lines of such a node about
    such a unit go into `before`, because what a test finds has often happened long before it.
    Without such words these are the last warnings and errors of all nodes.
    """
    times = [entry.time for entry in entries]
    first = bisect_left(times, start - MARGIN_SECONDS)
    last = bisect_right(times, end + MARGIN_SECONDS)
    near = [entry for entry in entries[first:last] if not is_noise(entry)]
    shown = _most_telling(near, most=MOST_LINES)
    words = frozenset(about)
    nodes = words & {entry.node for entry in entries}
    earlier = [entry for entry in entries[:first] if not is_noise(entry)]
    before = [it for it in earlier if _is_about(it, nodes=nodes, things=words - nodes)]
    if not words:
        before = [it for it in earlier if it.level != "info" and it.time > start - RECENT_SECONDS]
    return Excerpt(
        start=start,
        end=end,
        lines=tuple(shown),
        left_out=len(near) - len(shown),
        before=tuple(before[-MOST_BEFORE:]),
    )


def words_about(text: str, *, names: Iterable[str]) -> set[str]:
    """Which of `names` (nodes, units, vnodes) a test's name or message mentions as a word."""
    said = {piece for word in _WORD.findall(text) for piece in _pieces(word)}
    return {name for name in names if name in said}


def _pieces(word: str) -> set[str]:
    """`visitors1-prosody-v@1.service` also says 'visitors1' and 'prosody-v@1'."""
    plain = word.strip(".-").removesuffix(".service")
    head, _, tail = plain.partition("-")
    return {word, plain, head, tail}


def _is_about(entry: LogLine, *, nodes: frozenset[str], things: frozenset[str]) -> bool:
    if not is_loud(entry) or not (nodes or things):
        return False
    if nodes and entry.node not in nodes:
        return False
    return not things or entry.source in things or any(thing in entry.text for thing in things)


def is_loud(entry: LogLine) -> bool:
    """Whether a line tells of trouble or of a change of state."""
    return entry.level != "info" or _LOUD.search(entry.text) is not None


def _most_telling(entries: Sequence[LogLine], *, most: int) -> list[LogLine]:
    if len(entries) <= most:
        return list(entries)
    # Later lines first among equals: a test ends soon after what makes it fail.
    order = sorted(
        range(len(entries)),
        key=lambda index: (entries[index].level == "info", not is_loud(entries[index]), -index),
    )
    return [entries[index] for index in sorted(order[:most])]
