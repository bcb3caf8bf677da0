"""Where a stream is opened, as whom, on what it is carried, and what is kept to resume it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, assert_never
from urllib.parse import urlencode

from labctl.crowd.bosh import Bosh
from labctl.crowd.target import Target
from labctl.crowd.wire import Wire

ASK_EVERY = 5
"""Stanzas after which the server is asked what it has got, as Jitsi's client asks."""


class Line(StrEnum):
    """How XMPP goes through nginx; the words are the paths of the services."""

    WEBSOCKET = "xmpp-websocket"
    BOSH = "http-bind"


class Carrier(Protocol):
    """What carries the frames of RFC 7395."""

    async def open(self) -> None: ...
    def send(self, text: str) -> None: ...
    async def close(self, *, grace: float, last: str = "") -> None: ...
    def cut(self) -> None: ...


def carrier(
    line: Line,
    target: Target,
    path: str,
    *,
    on_text: Callable[[str], None],
    on_end: Callable[[str], None],
) -> Carrier:
    """A connection that is still to be opened."""
    match line:
        case Line.WEBSOCKET:
            return Wire(target, path, on_text=on_text, on_end=on_end)
        case Line.BOSH:
            return Bosh(target, path, on_text=on_text, on_end=on_end)
        case _:
            assert_never(line)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a stream is opened: on which line, its service's path, and what its query says."""

    query: str
    path: str = f"/{Line.WEBSOCKET}"
    line: Line = Line.WEBSOCKET

    def address(self, previd: str | None) -> str:
        """The path with its query; `previd` names the session that is to be resumed."""
        more = f"&{urlencode({'previd': previd})}" if previd else ""
        return f"{self.path}?{self.query}{more}"


class Unacked:
    """What was sent and may be lost: stanzas that the server has not said to have got."""

    __slots__ = ("_acked", "_stanzas")

    def __init__(self) -> None:
        self._stanzas: deque[str] = deque()
        self._acked = 0

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._stanzas))

    def add(self, stanza: str) -> bool:
        """Keep a stanza; whether it is time to ask the server what it has got."""
        self._stanzas.append(stanza)
        return len(self._stanzas) % ASK_EVERY == 0

    def forget(self, handled: int) -> None:
        """The server has got `handled` stanzas since it began to count (modulo 2**32)."""
        for _ in range(min((handled - self._acked) % 2**32, len(self._stanzas))):
            self._stanzas.popleft()
        self._acked = handled
