"""Who is in a conference on this bridge: endpoints of its own and relays to other bridges."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from channel import Channel
from datachannel import DataChannel
from ice import IceAgent
from inbound import Inbound
from outbound import Sender
from receiver import Receiver
from relayws import RelaySocket
from signalling import Negotiated
from transport import PeerTransport


@dataclass(slots=True, eq=False)
class Endpoint:
    """A participant."""

    id: str
    transport: PeerTransport
    inbound: Inbound
    receiver: Receiver
    channel: Channel
    visitor: bool
    stats_id: str = ""
    data: DataChannel | None = None
    created: float = field(default_factory=time.monotonic)
    inactive: bool = False  # as the others have been told

    @property
    def agent(self) -> IceAgent:
        """Its ICE agent."""
        return self.transport.agent

    def negotiate(self, negotiated: Negotiated) -> None:
        """What it was offered."""
        self.inbound.negotiated = negotiated
        self.receiver.sender.negotiated = negotiated

    def close(self) -> None:
        """It goes."""
        if self.data is not None:
            self.data.close()
        self.channel.close()
        self.transport.close()


@dataclass(slots=True, eq=False)
class Relay:
    """A connection to another bridge of the conference and the endpoints behind it."""

    id: str
    transport: PeerTransport
    inbound: Inbound
    sender: Sender
    channel: Channel
    data: DataChannel | None = None
    socket: RelaySocket | None = None
    endpoints: set[str] = field(default_factory=set)

    @property
    def agent(self) -> IceAgent:
        """Its ICE agent."""
        return self.transport.agent

    def negotiate(self, negotiated: Negotiated) -> None:
        """What the bridges agreed on."""
        self.inbound.negotiated = negotiated
        self.sender.negotiated = negotiated

    def connect_channel(self, url: str) -> None:
        """The other bridge waits for us at `url`."""
        if self.socket is None and self.data is None:
            self.socket = RelaySocket(url, self.channel, self.transport.journal)

    def close(self) -> None:
        """It goes."""
        if self.socket is not None:
            self.socket.close()
        if self.data is not None:
            self.data.close()
        self.channel.close()
        self.transport.close()
