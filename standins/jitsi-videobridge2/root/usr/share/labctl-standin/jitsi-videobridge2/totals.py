"""What the bridge has counted since its start."""

from __future__ import annotations

from dataclasses import dataclass, field

from channel import ChannelCounts
from transport import PeerTransport


@dataclass(slots=True)
class Totals:
    """Packets and bytes are those of members that have gone, as the original has it."""

    created: int = 0
    completed: int = 0
    participants: int = 0
    visitors: int = 0
    relays: int = 0
    ice_succeeded: int = 0
    ice_failed: int = 0
    dtls_failed: int = 0
    relays_dtls_failed: int = 0
    packets_received: int = 0
    packets_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    relay_packets_received: int = 0
    relay_packets_sent: int = 0
    relay_bytes_received: int = 0
    relay_bytes_sent: int = 0
    speaker_changes: int = 0
    channel: ChannelCounts = field(default_factory=ChannelCounts)

    def gone(self, transport: PeerTransport) -> None:
        """An endpoint goes: its packets, and whether it had ICE and never DTLS."""
        if transport.agent.selected and not transport.was_ready and not transport.dtls_failed:
            self.dtls_failed += 1
        self.packets_received += transport.received.packets
        self.bytes_received += transport.received.bytes
        self.packets_sent += transport.sent.packets
        self.bytes_sent += transport.sent.bytes

    def relay_gone(self, transport: PeerTransport) -> None:
        """The same of a relay."""
        self.relay_packets_received += transport.received.packets
        self.relay_bytes_received += transport.received.bytes
        self.relay_packets_sent += transport.sent.packets
        self.relay_bytes_sent += transport.sent.bytes

    def ice_connected(self) -> None:
        """One more endpoint or relay."""
        self.ice_succeeded += 1

    def endpoint_dtls_failed(self) -> None:
        """An endpoint's handshake ended without keys."""
        self.dtls_failed += 1

    def relay_dtls_failed(self) -> None:
        """A relay's did."""
        self.relays_dtls_failed += 1
