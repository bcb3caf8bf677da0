"""Participants with browsers for code that is not asynchronous, like `labctl.crowd.sync`.

Tests use it like this:

    with browsers_in(target) as browsers:
        first, second = browsers.join("room"), browsers.join("room")
        first.wait_until(lambda seen: seen.state == "connected", deadline=20, what="get media")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labctl.browser.figures import Snapshot
from labctl.browser.participant import BrowserOptions, BrowserParticipant
from labctl.browser.session import Chromium, open_chromium
from labctl.crowd.sync import wait
from labctl.crowd.target import Target


class SyncBrowserParticipant:
    """A participant whose methods block."""

    def __init__(self, participant: BrowserParticipant) -> None:
        self._participant = participant

    @property
    def nick(self) -> str:
        return self._participant.nick

    def snapshot(self) -> Snapshot:
        return wait(self._participant.snapshot())

    def wait_until(
        self, wanted: Callable[[Snapshot], bool], *, deadline: float, what: str
    ) -> Snapshot:
        return wait(self._participant.wait_until(wanted, deadline=deadline, what=what))

    def reset_gaps(self) -> None:
        wait(self._participant.reset_gaps())

    def leave(self) -> None:
        wait(self._participant.leave())


class SyncBrowsers:
    """One Chromium; its participants leave when it is closed."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self._participants: list[BrowserParticipant] = []

    def join(
        self, room: str, *, options: BrowserOptions | None = None, deadline: float = 30.0
    ) -> SyncBrowserParticipant:
        participant = BrowserParticipant(self._chromium, room, options=options)
        self._participants.append(participant)
        wait(participant.join(deadline=deadline))
        return SyncBrowserParticipant(participant)

    def leave(self) -> None:
        """Let everybody leave cleanly."""
        while self._participants:
            wait(self._participants.pop().leave())


@contextmanager
def browsers_in(target: Target) -> Iterator[SyncBrowsers]:
    """A Chromium for one lab; at the end everybody leaves and it ends, whatever happens."""
    door = open_chromium(target)
    browsers = SyncBrowsers(wait(door.__aenter__()))
    try:
        yield browsers
    finally:
        browsers.leave()
        wait(door.__aexit__(None, None, None))
