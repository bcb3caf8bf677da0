"""What this machine does to a Chromium on it: an address that comes or goes.

Chromium then gives up all connections that it is opening, to whatever address, and says so on the
page's console.  Every container and every network that starts or ends beside it has addresses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from labctl.browser.needs import BrowserError

NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
MOST_DISTURBED = 3
"""How many tries that were disturbed do not count; on a machine that never rests, the next does."""


def names_change(said: Iterable[str]) -> bool:
    """Whether a page, its console or an error told of it."""
    return any(NETWORK_CHANGED in text for text in said)


async def undisturbed(attempt: Callable[[], Awaitable[None]], said: list[str]) -> None:
    """Try; and again if that failed and this machine has disturbed it.

    `said` is what the pages of a try tell; each begins with an empty list.  Errors: BrowserError of
    the last try.
    """
    for left in reversed(range(MOST_DISTURBED + 1)):
        said.clear()
        try:
            return await attempt()
        except BrowserError as error:
            if not (left and names_change([*said, str(error)])):
                raise
