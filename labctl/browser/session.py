"""One Chromium with the pages of a lab's participants."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.browser.flags import render_flags
from labctl.browser.needs import BrowserError, want_browser
from labctl.browser.trust import write_trust
from labctl.crowd.target import Target

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright

PERMISSIONS = ("local-network-access", "camera", "microphone")
"""What a user would allow.  Our page counts as one of the internet, which must ask before it
reaches a private network.  And only a page that may use a microphone tells a bridge its addresses;
others tell names in `.local`."""
STARTS_WITHIN = 60.0
"""In seconds; a cold Chromium on two busy cores takes five to ten."""


@dataclass(frozen=True, slots=True)
class Chromium:
    """A browser that resolves names to one lab and trusts this lab's CA."""

    target: Target
    browser: Browser

    async def new_page(self) -> Page:
        """A page as for a first visit: no cookies, nothing stored."""
        context = await self.browser.new_context(viewport={"width": 1024, "height": 640})
        await context.grant_permissions(list(PERMISSIONS))
        return await context.new_page()


@asynccontextmanager
async def open_chromium(target: Target) -> AsyncIterator[Chromium]:
    """Start Chromium, and end it with everything that is open in it.

    Errors: BrowserError if it is missing or does not start; LabError if the lab's address is not
    on a network of this machine.
    """
    program = want_browser()
    target.prove(target.address)
    # Imported late, and only here, because that takes a third of a second.
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory(prefix="labctl-browser-") as folder:
        home = Path(folder)
        await asyncio.to_thread(write_trust, home, target.ca_file)
        (home / "tmp").mkdir()
        async with async_playwright() as playwright:
            browser = await _launch(playwright, program, target, home)
            try:
                yield Chromium(target, browser)
            finally:
                await browser.close()


async def _launch(playwright: Playwright, program: str, target: Target, home: Path) -> Browser:
    from playwright.async_api import Error

    try:
        return await playwright.chromium.launch(
            executable_path=program,
            args=render_flags(target),
            env=_environment(home),
            # Chromium does not run its sandbox as root.
            chromium_sandbox=os.geteuid() != 0,
            timeout=STARTS_WITHIN * 1000,
            # labctl handles Ctrl-C: participants leave before their browser ends.
            handle_sigint=False,
        )
    except Error as error:
        reason = error.message.strip().splitlines()[0]
        raise BrowserError(
            f"Chromium ('{program}') did not start: {reason}",
            hint=f"Try it yourself: {program} --headless --dump-dom about:blank",
        ) from error


def _environment(home: Path) -> dict[str, str | float | bool]:
    """This process's environment with the trusting home; XDG's folders would point elsewhere.

    Its folder for temporary files goes with the home: Chromium does not remove all of them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {**kept, "HOME": str(home), "TMPDIR": str(home / "tmp")}
