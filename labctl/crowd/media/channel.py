"""The bridge channel: JSON messages to and from the bridge, by data channel or WebSocket.

The messages are Colibri's (`colibriClass` names them), as upstream's client sends them.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Message = Mapping[str, Any]


class Line(Protocol):
    """What carries the messages."""

    def send(self, text: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChannelView:
    """How it stands with a bridge channel, as a value."""

    kind: str
    """'sctp' or 'websocket'."""
    opened_at: float | None
    answered_at: float | None
    """Monotonic seconds; when the bridge's first message came."""
    sent: int
    received: Mapping[str, int]
    """Messages by class."""
    forwarded: tuple[str, ...]
    """Names of the sources whose picture the bridge forwards now."""
    speaker: str
    """Who speaks, as the bridge says."""
    lost: str
    """Why it ended; '' while it has not."""


@dataclass(slots=True, eq=False)
class Channel:
    """One channel of one session."""

    kind: str
    on_message: Callable[[Message], None]
    line: Line | None = None
    opened_at: float | None = None
    answered_at: float | None = None
    sent: int = 0
    received: Counter[str] = field(default_factory=Counter)
    forwarded: tuple[str, ...] = ()
    speaker: str = ""
    lost: str = ""

    def opened(self, greetings: list[Message]) -> None:
        """It may be used: say hello and what is wanted."""
        self.opened_at = time.monotonic()
        for greeting in greetings:
            self.send(greeting)

    def send(self, message: Message) -> None:
        if self.line is not None and not self.lost:
            self.line.send(json.dumps(message))
            self.sent += 1

    def take(self, text: str) -> None:
        """A message from the bridge; what is not JSON is counted as such."""
        if self.answered_at is None:
            self.answered_at = time.monotonic()
        try:
            message = json.loads(text)
            name = str(message["colibriClass"])
        except (ValueError, KeyError, TypeError):
            self.received["not understood"] += 1
            return
        self.received[name] += 1
        if name == "ForwardedSources":
            self.forwarded = tuple(message.get("forwardedSources", ()))
        elif name == "DominantSpeakerEndpointChangeEvent":
            self.speaker = str(message.get("dominantSpeakerEndpoint", ""))
        self.on_message(message)

    def lose(self, reason: str) -> None:
        self.lost = self.lost or reason

    def close(self) -> None:
        self.lose("closed")
        if self.line is not None:
            self.line.close()

    def view(self) -> ChannelView:
        return ChannelView(
            self.kind,
            self.opened_at,
            self.answered_at,
            self.sent,
            dict(self.received),
            self.forwarded,
            self.speaker,
            self.lost,
        )


def greetings(*, last_n: int, max_height: int, picture: str | None) -> list[Message]:
    """What a participant says first; `picture` is the name of its own video source.

    The ClientHello is answered by the bridge's ServerHello, which proves both directions.
    """
    hello: Message = {"colibriClass": "ClientHello"}
    messages = [hello, want_pictures(last_n=last_n, max_height=max_height)]
    if picture is not None:
        messages.append(
            {
                "colibriClass": "SourceVideoTypeMessage",
                "sourceName": picture,
                "videoType": "camera",
            }
        )
    return messages


def want_pictures(*, last_n: int, max_height: int, selected: tuple[str, ...] = ()) -> Message:
    """How many pictures (-1: all) of which height are wanted; `selected` sources first."""
    return {
        "colibriClass": "ReceiverVideoConstraints",
        "lastN": last_n,
        "selectedSources": list(selected),
        "onStageSources": [],
        "defaultConstraints": {"maxHeight": max_height},
        "constraints": {},
    }
