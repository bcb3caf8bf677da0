"""One participant in our own page in a browser: join, watch, wait, leave."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from labctl.browser.changes import undisturbed
from labctl.browser.figures import Snapshot, parse_snapshot
from labctl.browser.needs import BrowserError
from labctl.browser.pages import open_page
from labctl.browser.session import Chromium
from labctl.crowd.names import RoomName

if TYPE_CHECKING:
    from playwright.async_api import Page

LOOK_EVERY = 0.25
VIDEO = {"width": 320, "height": 180, "frameRate": 15}
"""Small, because it is encoded and decoded in software on a machine that also runs a lab."""


@dataclass(frozen=True, slots=True)
class BrowserOptions:
    """How a participant behaves."""

    want_visitor: bool = False
    audio: bool = True
    video: bool = True
    channel: Literal["auto", "websocket", "sctp"] = "auto"
    """The channel to the bridge; 'auto' uses the WebSocket if one is offered."""
    json_sources: bool = True
    """Whether the sources of others come as compact JSON or as XML."""
    max_height: int = 360
    """The height, in lines, of the pictures that it asks for."""


class BrowserParticipant:
    """A participant of a conference, in a page of a browser.

    Every wait has a deadline in seconds, scaled by the lab's patience, and fails with a
    BrowserError that says what was last seen.
    """

    def __init__(
        self,
        chromium: Chromium,
        room: str,
        *,
        nick: str | None = None,
        options: BrowserOptions | None = None,
    ) -> None:
        self._chromium = chromium
        self._options = options or BrowserOptions()
        self._page: Page | None = None
        self._complaints: list[str] = []
        self._name = RoomName.of(room)
        self.room = self._name.path
        self.nick = nick or secrets.token_hex(4)

    async def join(self, *, deadline: float = 30.0) -> Self:
        """Open the page, ask the focus, follow a redirection, and join the room.

        A try that this machine disturbed is repeated; `deadline` is for one."""
        await undisturbed(partial(self._join, deadline), self._complaints)
        return self

    async def _join(self, deadline: float) -> None:
        await self.leave()
        self._page = await open_page(self._chromium, complain=self._complaints.append)
        await self._call(
            "labctl.join(words)", self._words(), deadline=deadline, what="did not join"
        )

    async def snapshot(self) -> Snapshot:
        """Its state now."""
        return parse_snapshot(
            await self._call("labctl.figures()", deadline=10, what="reported nothing")
        )

    async def wait_until(
        self, wanted: Callable[[Snapshot], bool], *, deadline: float, what: str
    ) -> Snapshot:
        """Check four times a second until `wanted` is true; `what` completes "did not ..."."""
        end = self._chromium.target.patience.deadline(deadline)
        while True:
            seen = await self.snapshot()
            if wanted(seen):
                return seen
            if end.passed:
                raise self._error(f"did not {what} within {deadline:.0f} s; {describe(seen)}")
            await asyncio.sleep(LOOK_EVERY)

    async def reset_gaps(self) -> None:
        """Count the longest gaps from now on."""
        await self._call("labctl.resetGaps()", deadline=10, what="did not answer")

    async def screenshot(self, path: Path) -> None:
        """A picture of the page with what it receives."""
        assert self._page is not None
        await self._page.screenshot(path=path)

    async def leave(self) -> None:
        """Leave the room cleanly and close the page; never raises."""
        from playwright.async_api import Error

        page, self._page = self._page, None
        if page is None:
            return
        try:
            async with asyncio.timeout(5):
                await page.evaluate("globalThis.labctl?.leave()")
                await page.context.close()
        except (Error, TimeoutError):
            return  # the browser has gone, so it has left

    def _words(self) -> dict[str, Any]:
        options, name = self._options, self._name
        return {
            "domain": self._chromium.target.domain,
            "room": name.room,
            "asked": name.asked,
            "tenant": f"{name.tenant}." if name.tenant else "",
            "service": name.service("xmpp-websocket"),
            "token": self._chromium.target.token(name),
            "nick": self.nick,
            "visitor": options.want_visitor,
            "audio": options.audio,
            "video": VIDEO if options.video else False,
            "channel": options.channel,
            "jsonSources": options.json_sources,
            "maxHeight": options.max_height,
        }

    async def _call(self, script: str, words: object = None, *, deadline: float, what: str) -> Any:
        from playwright.async_api import Error

        if self._page is None:
            raise self._error("has no page open")
        try:
            async with asyncio.timeout(self._chromium.target.patience.scaled(deadline)):
                return await self._page.evaluate(f"words => {script}", words)
        except TimeoutError:
            raise self._error(f"{what} within {deadline:.0f} s") from None
        except Error as error:
            raise self._error(f"{what}: {error.message.splitlines()[0]}") from error

    def _error(self, words: str) -> BrowserError:
        seen = f" The page said: {' | '.join(self._complaints[-3:])}" if self._complaints else ""
        return BrowserError(f"The browser participant '{self.nick}' {words}.{seen}")


def describe(seen: Snapshot) -> str:
    """A participant's state in one line, for errors."""
    last = ", ".join(one.kind for one in seen.events[-4:])
    tracks = ", ".join(f"{one.name} {one.packets} packets" for one in seen.received) or "nothing"
    return f"last seen: {last}; media {seen.state} via {seen.pair and seen.pair.remote}; {tracks}"
