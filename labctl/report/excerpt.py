"""Which lines of all logs a reader of a failure needs: near in time, or about the same thing."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import islice

from labctl.report.lines import Excerpt, LogLine

MARGIN_SECONDS = 2.0
"""Shown before a test began and after it ended; Prosody's lines are exact to a second only."""
MOST_LINES = 40
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
_IDENTIFIER = re.compile(r"\b(?=\w*\d)[\w-]+")
_WORD = re.compile(r"[\w@.-]+")


def is_noise(entry: LogLine) -> bool:
    """Whether the suite itself caused this line: sessions over ssh, and what sudo notes."""
    return entry.source in NOISE or "user@" in entry.text or "user-1000" in entry.text


def excerpt(
    entries: Sequence[LogLine],
    *,
    start: float,
    end: float,
    nodes: Set[str] = frozenset(),
    things: Set[str] = frozenset(),
) -> Excerpt:
    """The lines around a test that ran from `start` to `end`; `entries` are in order of time.

    Where there are too many the loud ones stay, then the latest.  What a test finds has often
    happened long before it: the last loud lines of its `nodes` about its `things` (units,
    vnodes), or of all nodes about its nodes, go into `before`.  Without
    either these are the last warnings of all nodes.
    """
    first = bisect_left(entries, start - MARGIN_SECONDS, key=_time)
    last = bisect_right(entries, end + MARGIN_SECONDS, key=_time)
    near = [entry for entry in entries[first:last] if not is_noise(entry)]
    shown = _most_telling(near, most=MOST_LINES)

    named = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in things or nodes))

    def matters(entry: LogLine) -> bool:
        # Cheapest first: a crowd leaves hundreds of thousands of lines.
        if not (nodes or things):
            return (
                entry.level != "info"
                and entry.time > start - RECENT_SECONDS
                and not is_noise(entry)
            )
        is_about = _is_about(entry, nodes=nodes, named=named, exact=bool(things))
        return is_about and not is_noise(entry) and is_loud(entry)

    backwards = (entries[index] for index in range(first - 1, -1, -1))
    before = list(islice(_first_of_each_kind(filter(matters, backwards)), MOST_BEFORE))
    return Excerpt(
        start=start,
        end=end,
        lines=tuple(shown),
        left_out=len(near) - len(shown),
        before=tuple(reversed(before)),
    )


def _time(entry: LogLine) -> float:
    return entry.time


def words_about(text: str, *, names: Iterable[str]) -> set[str]:
    """Which of `names` (nodes, units, vnodes) a test's name or message mentions as a word."""
    said = {piece for word in _WORD.findall(text) for piece in _pieces(word)}
    return {name for name in names if name in said}


def _pieces(word: str) -> set[str]:
    """`visitors1-prosody-v@1.service` also says 'visitors1' and 'prosody-v@1'."""
    plain = word.strip(".-").removesuffix(".service")
    head, _, tail = plain.partition("-")
    return {word, plain, head, tail}


def _is_about(entry: LogLine, *, nodes: Set[str], named: re.Pattern[str], exact: bool) -> bool:
    if exact:
        # A unit of a node: other nodes have units of the same name.
        if nodes and entry.node not in nodes:
            return False
        return named.search(f"{entry.source} {entry.text}") is not None
    return entry.node in nodes or named.search(entry.text) is not None


def is_loud(entry: LogLine) -> bool:
    """Whether a line tells of trouble or of a change of state."""
    return entry.level != "info" or _LOUD.search(entry.text) is not None


def _most_telling(entries: Sequence[LogLine], *, most: int) -> list[LogLine]:
    if len(entries) <= most:
        return list(entries)
    # One of each kind before a second one; later lines first among equals, because a test ends
    # soon after what makes it fail.
    nth = _counted_by_kind(entries)
    order = sorted(
        range(len(entries)),
        key=lambda at: (
            nth[at],
            entries[at].level == "info",
            not is_loud(entries[at]),
            -at,
        ),
    )
    return [entries[index] for index in sorted(order[:most])]


def _kind(entry: LogLine) -> tuple[str, ...]:
    """Lines of one kind differ in numbers and identifiers only."""
    return entry.node, entry.source, entry.level, _IDENTIFIER.sub("", entry.text)


def _counted_by_kind(entries: Sequence[LogLine]) -> list[int]:
    """For each line how many of its kind come after it, but for few: two are as good as one."""
    seen: Counter[tuple[str, ...]] = Counter()
    found = [0] * len(entries)
    for index in range(len(entries) - 1, -1, -1):
        kind = _kind(entries[index])
        found[index] = seen[kind] // 2
        seen[kind] += 1
    return found


def _first_of_each_kind(entries: Iterable[LogLine]) -> Iterator[LogLine]:
    seen = set()
    for entry in entries:
        kind = _kind(entry)
        if kind not in seen:
            seen.add(kind)
            yield entry
