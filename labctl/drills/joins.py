"""When bridges join the brewery, by their own account: their logs on their nodes.

Jicofo does not tell a process that comes back under the nick of a dead session from that session,
so its log says nothing then.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from datetime import datetime

from labctl.core.errors import LabError
from labctl.drills.faults import Spot
from labctl.drills.jicofo import CLOCK
from labctl.drills.model import Mark, Who
from labctl.drills.watch import NodeClock, Seen
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.topology.lab import Lab
from labctl.topology.roles import BRIDGE

INTERVAL = 1.0
"""Seconds between two questions to a node; log lines carry their own, finer times."""

# Wording of the log: the bridge's own, as run (docs/facts/observed.md, 13); of the last lines only.
_SCRIPT = f"""
section clock; date '+%Y-%m-%d %H:%M:%S.%6N'
section joins; tail -n 200 {BRIDGE.error_log} 2>/dev/null | grep -a 'Joined MUC: ' | tail -n 3
exit 0
"""
_LINE = re.compile(r"^JVB (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ")


def parse_joins(lines: Sequence[str]) -> list[datetime]:
    """When a bridge joined, by its node's clock."""
    found = (_LINE.match(line) for line in lines)
    return [datetime.strptime(one[1], CLOCK) for one in found if one is not None]


class JoinWatcher:
    """Asks the nodes of some bridges again and again in a thread of its own; joins since it began
    are in `seen`."""

    def __init__(self, lab: Lab, spots: Sequence[Spot]) -> None:
        self._lab, self._spots = lab, spots
        self._clocks = {spot.name: NodeClock() for spot in spots}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="drill-joins", daemon=True)
        self._began = time.monotonic()
        self._known: set[tuple[str, datetime]] = set()
        self.seen: list[Seen] = []

    def __enter__(self) -> JoinWatcher:
        self._look()
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _loop(self) -> None:
        while self._spots and not self._over.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        for spot in self._spots:
            try:
                self._ask(spot)
            except (LabError, ValueError):
                continue  # a node that is cut off says nothing for a while

    def _ask(self, spot: Spot) -> None:
        asked = time.monotonic()
        result = reach(self._lab).run(
            spot.node, sectioned(_SCRIPT), sudo=True, seconds=8, check=False
        )
        answered = time.monotonic()
        clock = self._clocks[spot.name]
        shown = datetime.strptime(result.sections.text("clock").strip(), CLOCK)
        clock.learn(shown, asked=asked, answered=answered)
        for moment in parse_joins(result.sections.lines("joins")):
            if (spot.name, moment) in self._known:
                continue
            self._known.add((spot.name, moment))
            at = clock.monotonic(moment)
            if at > self._began:
                self.seen.append(Seen(at, Who.HIT, spot.name, Mark.JOINED))
