"""A call of two that goes on while packages are installed, and how long it had no sound."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.crowd import Options, Target
from labctl.crowd.crowd import Crowd
from labctl.crowd.media import MediaKind, MediaOptions
from labctl.crowd.media.view import MediaView
from labctl.crowd.sync import SyncCrowd
from labctl.topology.lab import Lab

PEOPLE = 2
JOIN_SECONDS = 15.0
SILENCE = 1.0
"""Seconds without sound from which on it has stopped; less than that a busy machine does."""
GIVE_UP = 15.0
"""Seconds without sound after which people join again, as upstream's client asks for a new session
when its bridge has not answered for so long."""
LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Silence:
    """A time in which somebody did not hear the other; monotonic seconds."""

    began: float
    seconds: float


def heard_at(views: Iterable[MediaView], *, people: int = PEOPLE) -> float | None:
    """When everybody last heard somebody; None while somebody has heard nobody yet."""
    times = [
        max((one.last_at or 0.0 for one in view.sources if one.media == "audio"), default=0.0)
        for view in views
    ]
    return min(times) if len(times) == people and all(times) else None


@dataclass(slots=True)
class Sound:
    """What was heard over time: fed with `heard_at` now and then, it keeps the silences."""

    last: float
    silences: list[Silence] = field(default_factory=list)

    def note(self, heard: float | None) -> None:
        if heard is None or heard <= self.last:
            return
        if heard - self.last >= SILENCE:
            self.silences.append(Silence(self.last, heard - self.last))
        self.last = heard

    def lost_since(self, began: float, *, now: float) -> float:
        """The seconds without sound from `began` on, those that last included."""
        spans = list(self.silences)
        if now - self.last >= SILENCE:
            spans.append(Silence(self.last, now - self.last))
        return sum(
            each.began + each.seconds - max(each.began, began)
            for each in spans
            if each.began + each.seconds > began
        )


class Conversation:
    """Two people who talk until it is closed, and who join again when they are thrown out.

    A thread of its own looks after them.  `open_call` makes one.
    """

    def __init__(self, target: Target, options: MediaOptions) -> None:
        self._target = target
        self._options = Options(media=options)
        self._room = f"upgrade-{secrets.token_hex(4)}"
        self._crowd: SyncCrowd | None = None
        self._sound = Sound(time.monotonic())
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._joined = 0.0
        self._thread = threading.Thread(target=self._look_after, name="call", daemon=True)

    def begin(self) -> None:
        """Join and hear each other.  Errors: LabError."""
        self._join()
        self._sound = Sound(time.monotonic())
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._leave()

    @property
    def bridge(self) -> str:
        """The nick of the bridge that carries the call; empty if it is not known."""
        with self._lock:
            views = self._crowd.media() if self._crowd else []
        return next((view.bridge for view in views if view.bridge), "")

    def move(self) -> None:
        """End the call as calls end, and begin another one in another room.  Errors: LabError."""
        with self._lock:
            self._leave()
            self._room = f"upgrade-{secrets.token_hex(4)}"
            self._join()
            # That people hang up is no loss.
            self._sound.last = time.monotonic()

    def wait_sound(self, *, seconds: float) -> bool:
        """Wait until both have heard each other from now on; False if that does not come."""
        began = time.monotonic()
        deadline = self._target.patience.deadline(seconds)
        return wait_until(lambda: self._sound.last > began, deadline=deadline, interval=LOOK_EVERY)

    def lost_since(self, began: float) -> float:
        """Seconds without sound since `began` (monotonic)."""
        return self._sound.lost_since(began, now=time.monotonic())

    def _look_after(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            with self._lock:
                self._look()

    def _look(self) -> None:
        crowd = self._crowd
        if crowd is not None:
            self._sound.note(heard_at(crowd.media()))
            states = {view.state for view in crowd.views()}
            silent = time.monotonic() - max(self._sound.last, self._joined)
            if states == {"joined"} and silent < GIVE_UP:
                return
        try:
            self._leave()
            self._join()
        except LabError:
            # Whoever is thrown out tries again until it works; how long that took is measured.
            return

    def _join(self) -> None:
        crowd = SyncCrowd(Crowd(self._target, self._room, options=self._options))
        try:
            crowd.join(PEOPLE, deadline=JOIN_SECONDS)
            crowd.wait_media(deadline=JOIN_SECONDS)
        except LabError:
            crowd.leave()
            raise
        self._crowd, self._joined = crowd, time.monotonic()

    def _leave(self) -> None:
        if self._crowd is not None:
            self._crowd.leave()
            self._crowd = None


@contextmanager
def open_call(lab: Lab, *, target: Target | None = None) -> Iterator[Conversation]:
    """A call in a lab, for as long as the block lasts.  Errors: LabError if it has no sound."""
    options = MediaOptions.of(lab.topology, MediaKind.AUDIO)
    call = Conversation(target or Target.of(lab), options)
    try:
        call.begin()
        yield call
    finally:
        call.close()
