"""Asks every node of a lab again and again, each in a thread of its own.

So a node that hangs delays nobody: its question has a deadline, and what it said last stays known.
One question is one command over ssh, through the connection that is kept for each node.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from labctl.core.crowding import at_once
from labctl.core.errors import LabError
from labctl.core.process import end_running
from labctl.core.waiting import Deadline
from labctl.live.answer import NodeAnswer, parse_answer
from labctl.live.question import LARGE_ROOM, MOST_ROOMS, Ask, render_question
from labctl.node.reach import reach
from labctl.node.seam import SlowNodeError, UnreachableError, on_all
from labctl.report.lines import LogLine
from labctl.topology.lab import Lab
from labctl.topology.model import Node

INTERVAL = 2.0
"""Seconds between two questions to a node of a small lab, or as long as the last one took if that
is more."""
ASK_SECONDS = 6.0
"""For one question, ssh included."""
SLOW_EVERY = 5
"""What changes seldom is asked each time of so many."""
KEPT_LINES = 200
"""Log lines of a node that are kept; the oldest are dropped."""
END_SECONDS = 2.0


def slowdown(lab: Lab) -> float:
    """How many times less often than `INTERVAL` the nodes of a large lab are asked.

    Each question costs this machine's processors something, which the nodes share.  The JMS, which
    knows of bridges and conferences, is asked as often as in a small lab.
    """
    return max(1.0, len(lab.topology.nodes) / at_once())


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a node: its last answer, and when it came by the monotonic clock.

    `error` is why the last question failed, empty if it did
    not, and `tries` counts the questions that are over.
    """

    answer: NodeAnswer | None = None
    at: float = 0.0
    error: str = ""
    tries: int = 0
    lines: tuple[LogLine, ...] = ()


@dataclass(slots=True)
class _Follower:
    """One node: what is known of it, and what to ask next."""

    lab: Lab
    node: Node
    heard: Heard = field(default_factory=Heard)
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def ask(self) -> None:
        """Ask once.  A node that does not answer is noted, not raised."""
        last = self.heard
        before = last.answer
        slow = before is None or bool(last.error) or last.tries % SLOW_EVERY == 0
        ask = Ask(
            now=time.time(),
            slow=slow,
            offsets={} if before is None else before.offsets,
            rooms=() if before is None else _rooms_to_ask(before, slow=slow),
        )
        script = render_question(self.node, ask, patience=self.lab.patience)
        try:
            said = reach(self.lab).run(
                self.node.name, script, sudo=True, seconds=ASK_SECONDS, check=False
            )
        except SlowNodeError as error:
            return self._fail(f"no answer within {error.seconds:.0f} s")
        except UnreachableError as error:
            return self._fail(error.reason)
        except LabError as error:
            return self._fail(error.message)
        if "units" not in said.sections:
            return self._fail(said.last_words)
        answer = parse_answer(said.sections, node=self.node.name, before=before)
        self.lines.extend(answer.lines)
        self.heard = Heard(
            answer=answer,
            at=time.monotonic(),
            tries=last.tries + 1,
            lines=tuple(self.lines),
        )

    def _fail(self, why: str) -> None:
        self.heard = replace(self.heard, error=why, tries=self.heard.tries + 1)


def _rooms_to_ask(answer: NodeAnswer, *, slow: bool) -> tuple[str, ...]:
    """The largest conferences of the last answer; of known ones those that are cheap to ask for."""
    rooms = sorted(answer.rooms, key=lambda room: (-answer.rooms[room], room))[:MOST_ROOMS]
    if slow:
        return tuple(rooms)
    return tuple(
        room for room in rooms if answer.rooms[room] < LARGE_ROOM or room not in answer.people
    )


class Poller:
    """Follows a lab while it is entered; `changed` is called after each answer, in any thread."""

    def __init__(
        self, lab: Lab, *, interval: float = INTERVAL, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.lab = lab
        self.interval = interval
        self._changed = changed
        self._stop = threading.Event()
        self._followers = {node.name: _Follower(lab, node) for node in lab.topology.nodes}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        others = self.interval * slowdown(self.lab)
        for index, follower in enumerate(self._followers.values()):
            interval = self.interval if follower.node is self.lab.topology.jms else others
            # Spread over the interval, so that fifty programs do not start at once.
            late = interval * index / len(self._followers)
            thread = threading.Thread(
                target=self._follow,
                args=(follower, late, interval),
                name=f"live {follower.node.name}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        # Whoever waits for a node that hangs need not wait to its deadline.
        end_running(grace=END_SECONDS)
        for thread in self._threads:
            thread.join(END_SECONDS)

    def heard(self) -> dict[str, Heard]:
        """What is known of every node, by name."""
        return {name: follower.heard for name, follower in self._followers.items()}

    def wait_asked(self, deadline: Deadline) -> bool:
        """Wait until every node has answered once or failed to; False if the deadline passes."""
        while not self._all_asked():
            if deadline.passed or self._stop.wait(0.05):
                return False
        return True

    def _all_asked(self) -> bool:
        return all(it.heard.tries > 0 for it in self._followers.values())

    def _follow(self, follower: _Follower, late: float, interval: float) -> None:
        self._stop.wait(late)
        while not self._stop.is_set():
            began = time.monotonic()
            follower.ask()
            if self._stop.is_set():
                return
            self._changed()
            took = time.monotonic() - began
            self._stop.wait(max(interval - took, min(took, interval)))


def ask_once(lab: Lab) -> dict[str, Heard]:
    """Ask every node once, at the same time; the one with Jicofo then for its conferences."""
    followers = {node.name: _Follower(lab, node) for node in lab.topology.nodes}

    def ask(name: str) -> Heard:
        follower = followers[name]
        follower.ask()
        if follower.heard.answer is not None and follower.heard.answer.rooms:
            follower.ask()
        return follower.heard

    return on_all(followers, ask)
