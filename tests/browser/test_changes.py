"""A join that the machine disturbs is tried again, and one that fails is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from labctl.browser.changes import MOST_DISTURBED, NETWORK_CHANGED, undisturbed
from labctl.browser.needs import BrowserError

CONSOLE = f"WebSocket connection to 'wss://a/' failed: {NETWORK_CHANGED}"


class Tries:
    """What each try says on the console, and with which words it fails; the last is repeated."""

    def __init__(self, tries: Sequence[tuple[str, str]]) -> None:
        self.tries, self.made, self.said = tries, 0, list[str]()

    async def __call__(self) -> None:
        assert self.said == []
        console, failure = self.tries[min(self.made, len(self.tries) - 1)]
        self.made += 1
        if console:
            self.said.append(console)
        if failure:
            raise BrowserError(failure)


@pytest.mark.parametrize(
    ("tries", "made", "failure"),
    [
        ([("", "")], 1, ""),
        ([(CONSOLE, "")], 1, ""),
        ([(CONSOLE, "did not join"), ("", "")], 2, ""),
        ([("", f"did not join: {NETWORK_CHANGED} at https://a/"), ("", "")], 2, ""),
        ([("refused", "did not join")], 1, "did not join"),
        ([(CONSOLE, "did not join"), ("refused", "is full")], 2, "is full"),
        ([(CONSOLE, "did not join")], MOST_DISTURBED + 1, "did not join"),
    ],
)
def test_tries(tries: list[tuple[str, str]], made: int, failure: str) -> None:
    attempt = Tries(tries)
    if failure:
        with pytest.raises(BrowserError, match=failure):
            asyncio.run(undisturbed(attempt, attempt.said))
    else:
        asyncio.run(undisturbed(attempt, attempt.said))
    assert attempt.made == made
