"""A peer's bridge channel: JSON by WebSocket or by SCTP data channel, whichever it used last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Send = Callable[[str], None]


class Way(StrEnum):
    """How messages travel."""

    WEBSOCKET = "websocket"
    DATA_CHANNEL = "data channel"


@dataclass(slots=True)
class ChannelCounts:
    """Messages of all channels of the bridge, since its start."""

    websocket_received: int = 0
    websocket_sent: int = 0
    data_received: int = 0
    data_sent: int = 0


class Channel:
    """Messages to one peer; those that come while there is no way to it are lost."""

    def __init__(self, counts: ChannelCounts, on_message: Callable[[str], None]) -> None:
        self._counts = counts
        self._on_message = on_message
        self._ways: dict[Way, tuple[Send, Callable[[], None]]] = {}
        self._last: Way | None = None
        self.on_connected: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether a message would be sent."""
        return bool(self._ways)

    def attach(self, way: Way, send: Send, *, close: Callable[[], None]) -> None:
        """A way has opened; an older one of the kind is closed for it."""
        replaced = self._ways.get(way)
        if replaced is not None:
            replaced[1]()
        self._ways[way] = (send, close)
        self._last = way
        self.on_connected()

    def detach(self, way: Way, send: Send) -> None:
        """A way has closed."""
        if way in self._ways and self._ways[way][0] == send:
            del self._ways[way]

    def received(self, way: Way, text: str) -> None:
        """A message came."""
        self._last = way
        if way is Way.WEBSOCKET:
            self._counts.websocket_received += 1
        else:
            self._counts.data_received += 1
        self._on_message(text)

    def say(self, message: Mapping[str, object]) -> None:
        """Send a message."""
        self.say_text(json.dumps(message, separators=(",", ":")))

    def say_text(self, text: str) -> None:
        """Send a message that is text already."""
        way = self._last if self._last in self._ways else next(iter(self._ways), None)
        if way is None:
            return
        if way is Way.WEBSOCKET:
            self._counts.websocket_sent += 1
        else:
            self._counts.data_sent += 1
        self._ways[way][0](text)

    def close(self) -> None:
        """The peer is gone."""
        ways, self._ways = self._ways, {}
        for _, close in ways.values():
            close()
