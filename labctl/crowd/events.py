"""What a participant records: events with monotonic times, and a view of where it stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


class Kind(StrEnum):
    """What can happen to a participant."""

    CONNECTED = "connected"
    """TCP, TLS and WebSocket are up."""
    AUTHENTICATED = "authenticated"
    """SASL done and a resource bound; detail `jid`."""
    WAITING = "waiting"
    """The focus said ready=false; asked again after a back-off."""
    ANSWERED = "answered"
    """The focus answered the conference request with ready=true; detail `vnode` or none."""
    REDIRECTED = "redirected"
    """Sent to a vnode; detail `vnode`."""
    JOINED = "joined"
    """In the room; details `role`, `affiliation`, `occupants` (number seen at that moment)."""
    ROLE = "role"
    """Role or affiliation changed; details as for joined."""
    INVITED = "invited"
    """First session-initiate; details `sid`, `bridge_session`, `region`."""
    REINVITED = "reinvited"
    """A later session-initiate."""
    ACCEPTED = "accepted"
    """The focus acknowledged the session-accept; detail `sid`."""
    REFUSED = "refused"
    """The focus or the room refused something; details `what`, `condition`, `text`."""
    TERMINATED = "terminated"
    """session-terminate; details `sid`, `reason`, `text`."""
    MEDIA = "media"
    """ICE and DTLS to the bridge are up; details `bridge`, `address`, `port`."""
    MEDIA_FAILED = "media failed"
    """Details `stage`, `bridge`, `address`, `port` and `reason`."""
    CHANNEL = "channel"
    """The bridge has answered on its channel; detail `line` ('sctp' or 'websocket')."""
    HEARD = "heard"
    """First sound of a source, in this session; details `source`, `owner`."""
    SEEN = "seen"
    """First packet of a source's picture, in this session; details `source`, `owner`."""
    MESSAGE = "message"
    """A groupchat message; details `from`, `body`, `nick`, and where it has a display name `name`
    and `source` ('visitor' or empty)."""
    NOTE = "note"
    """A JSON message of a component or of the room, where `Options.notes` is on; details `from`,
    `text`."""
    MUTED = "muted"
    """The focus mutes this participant; detail `media`."""
    BOUNCED = "bounced"
    """A message came back, where `Options.notes` is on; details `from`, `condition`, `text`."""
    HAND = "hand"
    """This participant raised its hand, or lowered it."""
    PROMOTED = "promoted"
    """A visitor may come to the main room; detail `username`."""
    AWAY = "away"
    """The connection was dropped on purpose, to be resumed."""
    RESUMED = "resumed"
    """The session goes on where it was when the connection was dropped."""
    REMOVED = "removed"
    """Out of the room without having left; details `reason`, `status`."""
    LEFT = "left"
    """Left as it wanted to."""
    LOST = "lost"
    """The stream ended unasked; detail `reason`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `at` is `time.monotonic()` in seconds."""

    kind: Kind
    at: float = field(default_factory=time.monotonic)
    details: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def __str__(self) -> str:
        details = " ".join(f"{key}='{value}'" for key, value in self.details.items() if value)
        return f"{self.kind} {details}".rstrip()


@dataclass(frozen=True, slots=True)
class Occupant:
    """How the room shows somebody."""

    role: str
    affiliation: str


@lru_cache(maxsize=64)
def occupant(role: str, affiliation: str) -> Occupant:
    """The one value for this pair: thousands of participants see the same few pairs."""
    return Occupant(role, affiliation)


@dataclass(frozen=True, slots=True)
class View:
    """The state of a participant, as a value that no longer changes."""

    nick: str
    room: str
    state: str
    jid: str | None
    vnode: str | None
    role: str | None
    affiliation: str | None
    occupants: Mapping[str, Occupant]
    """By nick; the focus and the participant itself are among them."""
    sid: str | None
    bridge_session: str | None
    region: str | None
    conference: Mapping[str, str]
    """Jicofo's conference-properties, as last seen in its presence."""
    events: tuple[Event, ...]

    @property
    def others(self) -> frozenset[str]:
        """Nicks of all other people in the room (the focus is not one)."""
        return frozenset(self.occupants) - {self.nick, "focus"}

    def first(self, kind: Kind) -> Event | None:
        return next((event for event in self.events if event.kind is kind), None)

    def last(self, kind: Kind) -> Event | None:
        return next((event for event in reversed(self.events) if event.kind is kind), None)
