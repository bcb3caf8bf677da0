"""Our own page, opened with the lab's origin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.browser.session import Chromium

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

FILES = Path(__file__).with_name("page")
PATH = "/labctl-participant/"
TYPES = {".html": "text/html", ".js": "text/javascript"}


async def open_page(chromium: Chromium, *, complain: Callable[[str], None]) -> Page:
    """A fresh page with our files; `complain` gets its errors and its console output.

    The files come from this machine, but for the browser the page has the lab's origin.  So it may
    use a camera, and talk to the lab's services as Jitsi's page does.
    """
    page = await chromium.new_page()
    page.on("pageerror", lambda error: complain(str(error)))
    page.on("console", lambda message: complain(message.text))
    await serve_files(page, chromium)
    await page.goto(f"https://{chromium.target.domain}{PATH}index.html")
    return page


async def serve_files(page: Page, chromium: Chromium) -> None:
    """Serve our files to the page at the lab's origin from now on."""
    await page.route(f"https://{chromium.target.domain}{PATH}*", _serve)


async def _serve(route: Route) -> None:
    """Serve one of our own files; there is nothing else below that path."""
    file = FILES / route.request.url.rpartition("/")[2]
    if file.parent != FILES or file.suffix not in TYPES or not file.is_file():
        await route.fulfill(status=404, body="no such file")
        return
    kind = f"{TYPES[file.suffix]}; charset=utf-8"
    await route.fulfill(body=file.read_text(encoding="utf-8"), content_type=kind)
