"""What media a participant has.  Imports nothing heavy: every crowd reads this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from labctl.topology.model import Topology


class MediaKind(StrEnum):
    """What a participant sends and receives."""

    AUDIO = "audio"
    VIDEO = "video"
    BOTH = "both"

    @property
    def media(self) -> tuple[str, ...]:
        return ("audio", "video") if self is MediaKind.BOTH else (self.value,)


class ChannelKind(StrEnum):
    """Which bridge channel a participant takes."""

    ANY = "any"
    """As upstream's client: the WebSocket where one is offered, else SCTP."""
    SCTP = "sctp"
    WEBSOCKET = "websocket"
    NONE = "none"


class RelayKind(StrEnum):
    """How a participant comes to the TURN server."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def transport(self) -> str:
        """What carries it: TLS goes by TCP."""
        match self:
            case RelayKind.UDP:
                return "udp"
            case RelayKind.TCP | RelayKind.TLS:
                return "tcp"
            case _:
                assert_never(self)

    @property
    def secured(self) -> bool:
        return self is RelayKind.TLS


@dataclass(frozen=True, slots=True)
class Relay:
    """A TURN server at the lab's door, as Prosody told it."""

    kind: RelayKind
    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """How a participant's media behaves; one value is shared by a whole crowd."""

    kind: MediaKind = MediaKind.BOTH
    channel: ChannelKind = ChannelKind.ANY
    send: bool = True
    """Offer sources of its own; a visitor never does."""
    connect_within: float = 15.0
    """Seconds from the invitation until ICE and DTLS are up; else MEDIA_FAILED is recorded."""
    max_height: int = 720
    """Of the picture that is asked for by ReceiverVideoConstraints."""
    bridges: Mapping[str, str] = field(default_factory=dict)
    """Nicks of bridges by address, to name a bridge by."""
    on: str = ""
    """The bridge that was asked for by its nick, whatever addresses it offers."""
    restart: bool = False
    """Ask Jicofo for a new session when the bridge has not answered for 15 s, as upstream's client
    does.  Off: drills show what the servers heal by themselves."""
    relay: RelayKind | None = None
    """Media goes through the lab's TURN server and not straight to the bridge."""

    @classmethod
    def of(cls, topology: Topology, kind: MediaKind = MediaKind.BOTH) -> MediaOptions:
        """For a lab: its bridges are called by their nicks in the brewery."""
        nodes = topology.nodes
        names = {str(node.address): node.bridge for node in nodes if node.bridge is not None}
        return cls(kind, bridges=names)

    def bridge(self, address: str) -> str:
        """What to call the bridge with this address."""
        return self.on or self.bridges.get(address, "")
