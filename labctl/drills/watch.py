"""Watching a lab during a drill: participants' events and Jicofo's words, on one clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import inf

from labctl.core.crowding import crowding_of, processors, read_wanting
from labctl.core.errors import LabError
from labctl.crowd import Event, Kind
from labctl.drills.jicofo import Sample, parse_marks, parse_sample, render_sample
from labctl.drills.model import Mark, Who
from labctl.node.reach import reach
from labctl.topology.lab import Lab

INTERVAL = 0.4
"""Seconds between two questions to the JMS; log lines carry their own, finer times."""

FIRST_SAMPLES = 4
"""Questions before anything is broken: they settle the difference of the clocks."""

KINDS = {
    Kind.TERMINATED: Mark.TERMINATED,
    Kind.REINVITED: Mark.REINVITED,
    Kind.LOST: Mark.LOST,
    Kind.REMOVED: Mark.LOST,
    Kind.MEDIA_FAILED: Mark.NO_WAY,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Something seen, `at` on this machine's monotonic clock."""

    at: float
    who: Who
    subject: str
    mark: Mark
    detail: str = ""


@dataclass(slots=True)
class NodeClock:
    """A node's clock in terms of this machine's monotonic one.

    The node reads its clock somewhere between question and answer, so each sample bounds the
    difference; all bounds together are narrower than any of them.
    """

    low: float = -inf
    high: float = inf

    def learn(self, clock: datetime, *, asked: float, answered: float) -> None:
        """One sample: the node said `clock` between these two monotonic times."""
        shown = clock.timestamp()
        low, high = max(self.low, shown - answered), min(self.high, shown - asked)
        if low > high:  # the clock was set
            low, high = shown - answered, shown - asked
        self.low, self.high = low, high

    def monotonic(self, moment: datetime) -> float:
        """When that was, on this machine's clock."""
        return moment.timestamp() - (self.low + self.high) / 2


class Watcher:
    """Asks the JMS again and again in a thread of its own; what it saw is in `seen`."""

    def __init__(self, lab: Lab, *, on_seen: Callable[[Seen], None]) -> None:
        self._lab, self._on_seen = lab, on_seen
        self._clock = NodeClock()
        self._offset = 0
        self._rest = ""
        self._operational: int | None = None
        self._silent = False
        self._over = threading.Event()
        self._wanting: list[float] = []
        self._thread = threading.Thread(target=self._loop, name="drill-watch", daemon=True)
        self.seen: list[Seen] = []

    def __enter__(self) -> Watcher:
        for _ in range(FIRST_SAMPLES):
            _, sample = self._ask(offset=1 << 60)
            self._offset, self._operational = sample.size, sample.operational
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def crowding(self) -> float:
        """How many times longer things took on this machine meanwhile (labctl.core.crowding)."""
        if not self._wanting:
            return 1.0
        return crowding_of(sum(self._wanting) / len(self._wanting), processors=processors())

    def _loop(self) -> None:
        while not self._over.wait(INTERVAL):
            with suppress(OSError, ValueError):  # not Linux's, or kept from us
                self._wanting.append(read_wanting())
            try:
                at, sample = self._ask(offset=self._offset)
            except (LabError, ValueError) as error:
                self._note_silence(error)
                continue
            self._silent = False
            self._take(at, sample)

    def _ask(self, *, offset: int) -> tuple[float, Sample]:
        asked = time.monotonic()
        script = render_sample(offset=offset, patience=self._lab.patience)
        jms = self._lab.topology.jms.name
        sample = parse_sample(reach(self._lab).run(jms, script, seconds=8, check=False).sections)
        answered = time.monotonic()
        self._clock.learn(sample.clock, asked=asked, answered=answered)
        return answered, sample

    def _take(self, at: float, sample: Sample) -> None:
        self._offset = sample.size
        text = self._rest + sample.text
        whole, newline, self._rest = text.rpartition("\n")
        for moment, mark, subject, line in parse_marks(whole + newline):
            self._note(Seen(self._clock.monotonic(moment), Who.JICOFO, subject, mark, line))
        self._take_count(at, sample.operational)

    def _take_count(self, at: float, count: int | None) -> None:
        if count is None or count == self._operational:
            return
        total = len(self._lab.topology.bridges)
        before, self._operational = self._operational, count
        if count == total:
            mark = Mark.ALL_BACK
        elif count == 0:
            mark = Mark.NONE_LEFT
        elif before is not None and count > before:
            return
        else:
            mark = Mark.FEWER
        self._note(Seen(at, Who.JICOFO, "jicofo", mark, f"{count} of {total}"))

    def _note_silence(self, error: Exception) -> None:
        if not self._silent:
            self._silent = True
            self._note(Seen(time.monotonic(), Who.JICOFO, "jms", Mark.SILENT, str(error)))

    def _note(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._on_seen(seen)


def marks_of(events: Iterable[Event], *, who: Who, subject: str, said: str = "") -> list[Seen]:
    """A participant's events as marks; `said` is the message that counts as heard."""
    found = []
    for event in events:
        if mark := KINDS.get(event.kind):
            detail = _detail(event)
            found.append(Seen(event.at, who, subject, mark, detail))
        elif said and event.kind is Kind.MESSAGE and event.details.get("body") == said:
            found.append(Seen(event.at, who, subject, Mark.HEARD))
    return found


def _detail(event: Event) -> str:
    """Why, and for media also where and at which stage."""
    reason = event.details.get("reason", "")
    if event.kind is not Kind.MEDIA_FAILED:
        return reason
    address, port = event.details.get("address", ""), event.details.get("port", "")
    return f"{event.details.get('bridge', '')} {address}:{port} {reason}".strip()
