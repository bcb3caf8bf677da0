"""What Jicofo says while a drill runs: its figures, and its log lines as marks.

Wording of the log: Jicofo's own, as run (7ebb13d, August 2026); the number after '#' is a line of
its source and may change, so patterns go by the words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labctl.drills.model import Mark
from labctl.waiting import whole

LOG = "/var/log/jitsi/jicofo.log"
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
date '+%Y-%m-%d %H:%M:%S.%6N'
size=$(sudo stat -c %s {log} 2>/dev/null || echo 0)
echo "$size"
curl -sf --max-time {patient} http://127.0.0.1:8888/stats | tr -d '\\n'
echo
[ "$size" -gt {offset} ] && sudo tail -c +$(( {offset} + 1 )) {log} | head -c $(( size - {offset} ))
exit 0
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer of the JMS: its clock, the size of the log, the figures, new lines."""

    clock: datetime
    size: int
    stats: Mapping[str, Any] | None
    text: str

    @property
    def operational(self) -> int | None:
        """`operational_bridge_count`; None where Jicofo did not answer."""
        count = (self.stats or {}).get("bridge_selector", {}).get("operational_bridge_count")
        return count if isinstance(count, int) else None


def render_sample(*, offset: int) -> str:
    """The command whose output `parse_sample` reads; `offset` bytes of the log are known."""
    return _SAMPLE.format(log=LOG, offset=offset, patient=whole(2))


def parse_sample(output: str) -> Sample:
    """ValueError where the output is not one."""
    clock, size, stats, *rest = output.split("\n", 3)
    try:
        figures = json.loads(stats) if stats.strip() else None
    except ValueError:
        figures = None
    text = rest[0] if rest else ""
    return Sample(datetime.strptime(clock.strip(), CLOCK), int(size), figures, text)


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
