"""One participant in Jitsi's own web application, if the lab has the original package."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from labctl.browser.changes import undisturbed
from labctl.browser.figures import Snapshot, parse_snapshot
from labctl.browser.needs import BrowserError
from labctl.browser.pages import serve_files
from labctl.browser.session import Chromium
from labctl.crowd.names import RoomName

if TYPE_CHECKING:
    from playwright.async_api import Page

SETTINGS = {
    "prejoinConfig.enabled": False,
    "disableDeepLinking": True,
    "requireDisplayName": False,
    "startWithAudioMuted": False,
    "startWithVideoMuted": False,
    "constraints.video.height.ideal": 180,
}
"""What the address passes to the application (its config.js, key by key)."""
JOINED = "() => globalThis.APP?.conference?.isJoined?.() === true"


class WebAppParticipant:
    """A participant with Jitsi's page.  Tracks have no owners: only the page knows them."""

    def __init__(self, chromium: Chromium, room: str) -> None:
        self._chromium = chromium
        self._page: Page | None = None
        self._name = RoomName.of(room)
        self.room = self._name.path
        self.nick = f"web-{secrets.token_hex(3)}"

    async def join(self, *, deadline: float = 60.0) -> Self:
        """Open the page of the room and wait until the application says that it has joined.

        A try that this machine disturbed is repeated; `deadline` is for one."""
        said: list[str] = []
        await undisturbed(partial(self._join, deadline, said.append), said)
        return self

    async def _join(self, deadline: float, complain: Callable[[str], None]) -> None:
        from playwright.async_api import Error

        await self.leave()
        deadline = self._chromium.target.patience.scaled(deadline)
        self._page = page = await self._chromium.new_page()
        page.on("console", lambda message: complain(message.text))
        await serve_files(page, self._chromium)
        await page.add_init_script(path=Path(__file__).with_name("page") / "watch.js")
        try:
            async with asyncio.timeout(deadline):
                await page.goto(self._address(), wait_until="domcontentloaded")
                await page.wait_for_function(JOINED, timeout=deadline * 1000)
        except (Error, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else f"not within {deadline:.0f} s"
            raise BrowserError(f"Jitsi's page did not join room '{self.room}': {reason}") from error

    async def snapshot(self) -> Snapshot:
        """The state of the page's peer connections."""
        from playwright.async_api import Error

        assert self._page is not None
        try:
            return parse_snapshot(await self._page.evaluate("labctlWatch.figures()"))
        except Error as error:
            raise BrowserError(
                f"Jitsi's page of '{self.nick}' reported nothing: {error.message.splitlines()[0]}"
            ) from error

    async def screenshot(self, path: Path) -> None:
        assert self._page is not None
        await self._page.screenshot(path=path)

    async def leave(self) -> None:
        """Close the page, as people do; never raises."""
        from playwright.async_api import Error

        page, self._page = self._page, None
        if page is not None:
            try:
                await page.context.close()
            except Error:
                return  # the browser has gone, so it has left

    def _address(self) -> str:
        settings = [f"config.{key}={quote(json.dumps(value))}" for key, value in SETTINGS.items()]
        settings.append(f"userInfo.displayName={quote(json.dumps(self.nick))}")
        target = self._chromium.target
        token = target.token(self._name)
        shown = f"?jwt={token}" if token else ""
        return f"https://{target.domain}/{self.room}{shown}#{'&'.join(settings)}"
