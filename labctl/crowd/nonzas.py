"""What comes on a stream before and between stanzas, and is waited for one after another."""

from __future__ import annotations

import asyncio

from labctl.crowd.errors import CrowdError
from labctl.crowd.xml import FRAMING, SASL, SM, STREAM, Element

AWAITED = frozenset(
    [
        f"{{{FRAMING}}}open",
        f"{{{STREAM}}}features",
        f"{{{SASL}}}success",
        f"{{{SASL}}}failure",
        f"{{{SM}}}resumed",
    ]
)


class Nonzas:
    """Elements that are no stanzas, in order; one reader at a time.  Never holds more than two."""

    __slots__ = ("_found", "_waiting")

    def __init__(self) -> None:
        self._found: list[Element] = []
        self._waiting: asyncio.Future[None] | None = None

    def add(self, nonza: Element) -> None:
        """One has come."""
        self._found.append(nonza)
        self._wake(None)

    async def next(self) -> Element:
        """The next one, as soon as it is there.  Errors: what `fail` was told."""
        while not self._found:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._found.pop(0)

    def clear(self) -> None:
        """Forget what came on an earlier connection."""
        self._found.clear()

    def fail(self, error: CrowdError) -> None:
        """None will come any more: who waits is told why."""
        self._wake(error)

    def _wake(self, error: CrowdError | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            return
        if error is None:
            waiting.set_result(None)
        else:
            waiting.set_exception(error)
