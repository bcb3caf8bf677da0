"""What Jicofo says while a drill runs: its figures, and its log lines as marks.

Wording of the log: Jicofo's own, as run (7ebb13d, August 2026); the number after '#' is a line of
its source and may change, so patterns go by the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from labctl.core.waiting import Patience
from labctl.drills.model import Mark
from labctl.node.jicofo import LOG, STATS, Stats, parse_stats, render_get
from labctl.node.script import ShellScript, sectioned
from labctl.node.sections import Sections

CLOCK = "%Y-%m-%d %H:%M:%S.%f"

_LINE = re.compile(r"^Jicofo (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \w+: (.*)$")
_BRIDGE = r"(?:Bridge\[jid=)?[^/\s]+/(?P<who>[^,\s\]]+)"
_PATTERNS = (
    (Mark.BRIDGE_LOST, re.compile(rf"Removed brewery instance: {_BRIDGE}")),
    (Mark.BRIDGE_ADDED, re.compile(rf"Added brewery instance: {_BRIDGE}")),
    (
        Mark.HEALTH_RETRY,
        re.compile(rf"(?:{_BRIDGE}.* )?health-check timed out, but will give it another try"),
    ),
    (Mark.HEALTH_FAILED, re.compile(rf"Health check (?:timed out for|failed for): {_BRIDGE}")),
    (
        Mark.NO_ALLOCATION,
        re.compile(
            r"\[room=(?P<who>[^@\s]+)@.*Failed to allocate a colibri2 endpoint for \S+: Timeout"
        ),
    ),
    (
        Mark.RECONNECTING,
        re.compile(r"\[xmpp_connection=(?P<who>[^]\s]+)\].*(?:reconnectingIn|reconnecting in)"),
    ),
    (Mark.REGISTERED, re.compile(r"\[xmpp_connection=(?P<who>[^]\s]+)\].*Registered \(resumed=")),
    (
        Mark.ENDED,
        re.compile(r"\[room=(?P<who>[^@\s]+)@.*(?:give up and stop|Last member left, stopping)\."),
    ),
    (Mark.GAVE_UP, re.compile(r"\[room=(?P<who>[^@\s]+)@.*give up and stop\.")),
)

# The size before the figures: what is written while this runs belongs to the next sample.
_SAMPLE = """
section clock; date '+%Y-%m-%d %H:%M:%S.%6N'
size=$(sudo stat -c %s {log} 2>/dev/null || echo 0)
section size; echo "$size"
section stats; {stats}
section log
[ "$size" -gt {offset} ] && sudo tail -c +$(( {offset} + 1 )) {log} | head -c $(( size - {offset} ))
exit 0
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of the JMS: its clock, the size of the log, the figures, new lines."""

    clock: datetime
    size: int
    stats: Stats | None
    text: str

    @property
    def operational(self) -> int | None:
        """How many bridges work; None if Jicofo did not answer."""
        return self.stats.operational if self.stats is not None else None


def render_sample(*, offset: int, patience: Patience) -> ShellScript:
    """The script whose answer `parse_sample` reads; `offset` bytes of the log are known."""
    stats = render_get(STATS, patience=patience, seconds=2)
    return sectioned(_SAMPLE.format(log=LOG, offset=offset, stats=stats))


def parse_sample(sections: Sections) -> Sample:
    """ValueError if the answer is not a sample."""
    clock = datetime.strptime(sections.text("clock").strip(), CLOCK)
    stats = parse_stats(sections.text("stats"))
    return Sample(clock, int(sections.text("size")), stats, sections.text("log"))


def parse_marks(text: str) -> Iterator[tuple[datetime, Mark, str, str]]:
    """Time (the node's clock), mark, whom it is about, and the line itself, in order."""
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        at = datetime.strptime(found[1], CLOCK)
        for mark, pattern in _PATTERNS:
            if hit := pattern.search(found[2]):
                yield at, mark, hit["who"] or "jicofo", found[2]
