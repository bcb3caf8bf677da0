"""Records packets of several nodes into one file, until it is enough."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from labctl.capture.merge import HOLD, Merger
from labctl.capture.sink import Sink
from labctl.capture.tap import Tap, render_script
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline, wait_until
from labctl.node.flow import Opener, open_flow
from labctl.topology.lab import Lab

START_SECONDS, END_SECONDS = 20.0, 10.0
LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Enough:
    """When a recording ends by itself: after seconds, packets, or never (None)."""

    seconds: float | None = None
    packets: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many packets were written, and how many each node's kernel has dropped."""

    packets: int
    dropped: Mapping[str, int]


def record(
    lab: Lab,
    filters: Mapping[str, str],
    sink: Sink,
    *,
    enough: Enough,
    progress: Progress,
    opener: Opener = open_flow,
    hold: float = HOLD,
) -> Recorded:
    """Record on the nodes of `filters` (node -> tcpdump's filter) until it is enough, or Ctrl-C.

    However it ends, nothing runs on a node any more.  Errors: LabError if a node cannot record.
    """
    return _Recording(lab, filters, sink, enough, opener, hold).run(progress)


class _Recording:
    def __init__(
        self,
        lab: Lab,
        filters: Mapping[str, str],
        sink: Sink,
        enough: Enough,
        opener: Opener,
        hold: float,
    ) -> None:
        self._lab, self._sink, self._enough = lab, sink, enough
        self._merger = Merger(hold=hold)
        self._started = {node: threading.Event() for node in filters}
        self._taps = [
            Tap(
                node,
                number,
                opener(lab, node, render_script(text)),
                on_packet=self._merger.add,
                on_start=self._started[node].set,
            )
            for number, (node, text) in enumerate(filters.items())
        ]

    def run(self, progress: Progress) -> Recorded:
        try:
            self._wait_started(progress)
            self._follow()
        except (KeyboardInterrupt, BrokenPipeError):
            # Both are how people end it: Ctrl-C here, or closing Wireshark.
            pass
        dropped = self._finish()
        with suppress(BrokenPipeError):
            self._write(all_=True)
        return Recorded(self._sink.packets, dropped)

    def _wait_started(self, progress: Progress) -> None:
        deadline = self._lab.patience.deadline(START_SECONDS)
        for tap in self._taps:
            started = self._started[tap.node]
            wait_until(
                lambda it=started, tap=tap: it.is_set() or not tap.running,  # type: ignore[misc]
                deadline=deadline,
                interval=LOOK_EVERY,
            )
            if not started.is_set():
                self._explain(tap)
            progress("capture", "recording", node=tap.node)

    def _explain(self, tap: Tap) -> None:
        """Raise why a node has not begun; the others are ended before."""
        others = [other for other in self._taps if other is not tap]
        for other in others:
            other.finish()
        for other in others:
            with suppress(LabError):
                other.end(seconds=0)
        tap.end(seconds=0)
        raise LabError(f"Node '{tap.node}' did not begin to record.")

    def _follow(self) -> None:
        """Write what comes, until it is enough, or until a node has stopped by itself."""
        limit = self._enough.seconds
        deadline = Deadline.after(limit if limit is not None else math.inf)
        wait_until(self._step, deadline=deadline, interval=LOOK_EVERY)

    def _step(self) -> bool:
        done = self._write(all_=False)
        return done or not all(tap.running for tap in self._taps)

    def _write(self, *, all_: bool) -> bool:
        """Write packets that have waited; whether there are now as many as were asked for."""
        self._sink.write_keys()
        for seen in self._merger.take(all_=all_):
            if self._full:
                return True
            self._sink.write(seen)
        self._sink.flush()
        return self._full

    @property
    def _full(self) -> bool:
        return self._enough.packets is not None and self._sink.packets >= self._enough.packets

    def _finish(self) -> dict[str, int]:
        for tap in self._taps:
            tap.finish()
        seconds = self._lab.patience.scaled(END_SECONDS)
        return {tap.node: tap.end(seconds=seconds) for tap in self._taps}
