"""Several participants with browsers in one room: they join, are watched, and leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from labctl.browser.figures import Snapshot
from labctl.browser.needs import BrowserError
from labctl.core.waiting import Deadline

JOIN_DEADLINE = 60.0
MEDIA_DEADLINE = 30.0
"""Seconds from the last join until everybody has media."""
LOOK_EVERY = 0.5


class GroupMember(Protocol):
    """What a group needs of its members, whatever page they use."""

    nick: str

    async def join(self, *, deadline: float = ...) -> Self: ...

    async def snapshot(self) -> Snapshot: ...

    async def screenshot(self, path: Path) -> None: ...

    async def leave(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The result of a group: the state of each member, and what each lacks."""

    snapshots: tuple[Snapshot, ...]
    lacks: Mapping[str, str]
    """Nick -> what is missing, for members who lack something."""

    @property
    def well(self) -> bool:
        return not self.lacks

    def to_json(self) -> dict[str, Any]:
        return {"browsers": [asdict(one) for one in self.snapshots], "lacks": dict(self.lacks)}


def group_result(snapshots: Sequence[Snapshot], failures: Mapping[str, str]) -> GroupResult:
    """Whether everybody hears and sees everybody else who sends."""
    lacks = dict(failures)
    senders = [one for one in snapshots if one.sent]
    for one in snapshots:
        others = sum(sender.nick != one.nick for sender in senders)
        lack = lacking(one, others)
        if lack:
            lacks[one.nick] = lack
    return GroupResult(tuple(snapshots), lacks)


def lacking(one: Snapshot, others: int) -> str:
    """What a participant lacks who should hear and see so many others; empty if nothing."""
    if one.state != "connected":
        return f"has no media (connection: {one.state})"
    heard = sum(track.audio_energy > 0 for track in one.received)
    seen = sum(track.frames_decoded > 0 for track in one.received)
    words = [
        f"{verb} {count} of {others}"
        for verb, count in (("hears", heard), ("sees", seen))
        if count < others
    ]
    return " and ".join(words)


class BrowserGroup:
    """Participants of one room; all leave at the end, whatever happens."""

    def __init__(self, make: Callable[[], GroupMember]) -> None:
        self._make = make
        self._failures: dict[str, str] = {}
        self.people: list[GroupMember] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(one.leave() for one in self.people))

    async def join(self, count: int) -> None:
        """Let so many join, one after another.  Those who fail are in the result.

        Errors: BrowserError if the first one cannot join.
        """
        for _ in range(count):
            person = self._make()
            try:
                await person.join(deadline=JOIN_DEADLINE)
            except BrowserError as error:
                await person.leave()
                if not self.people:
                    raise
                self._failures[person.nick] = error.message
            else:
                self.people.append(person)

    async def wait_media(self, end: Deadline) -> GroupResult:
        """Wait until nobody lacks anything, somebody failed, or the deadline passed."""
        while True:
            result = await self.result()
            if result.well or self._failures or end.passed:
                return result
            await asyncio.sleep(LOOK_EVERY)

    async def result(self) -> GroupResult:
        snapshots = []
        failures = dict(self._failures)
        for person in self.people:
            try:
                snapshots.append(await person.snapshot())
            except BrowserError as error:
                failures[person.nick] = error.message
        return group_result(snapshots, failures)

    async def screenshots(self, folder: Path) -> list[Path]:
        """A picture of each page as `browser-NICK.png`."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"browser-{person.nick}.png" for person in self.people]
        for person, file in zip(self.people, files, strict=True):
            await person.screenshot(file)
        return files
