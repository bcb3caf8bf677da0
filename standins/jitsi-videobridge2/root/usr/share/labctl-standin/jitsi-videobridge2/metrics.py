"""`/metrics` of the bridge, under the names that the original uses; counters end in `_total`."""

from __future__ import annotations

from bridge import Bridge
from mucclient import MucClient


def muc_counts(clients: list[MucClient]) -> dict[str, int]:
    """XMPP connections and breweries, configured and there."""
    rooms = [room for client in clients for room in client.rooms]
    return {
        "muc_clients_configured": len(clients),
        "muc_clients_connected": sum(client.client.registered for client in clients),
        "mucs_configured": len(rooms),
        "mucs_joined": sum(room.joined for room in rooms),
    }


def read_metrics(bridge: Bridge, clients: list[MucClient]) -> dict[str, object]:
    """All metrics, without the prefix."""
    counts, numbers = muc_counts(clients), bridge.numbers()
    return {
        "stress": numbers["stress_level"],
        "drain_mode": bridge.drain,
        "conferences": numbers["conferences"],
        "local_endpoints": numbers["local_endpoints"],
        "current_visitors": numbers["visitors"],
        "healthy": bridge.health.success,
        "graceful_shutdown": numbers["graceful_shutdown"],
        "shutting_down": numbers["shutting_down"],
        "muc_clients_configured": counts["muc_clients_configured"],
        "muc_clients_connected": counts["muc_clients_connected"],
        "mucs_connected": counts["mucs_configured"],  # upstream's own misnomer
        "mucs_joined": counts["mucs_joined"],
        "xmpp_disconnects_total": sum(client.client.disconnects for client in clients),
        **_rates(bridge),
        **_counters(bridge),
    }


def _rates(bridge: Bridge) -> dict[str, object]:
    """What endpoints send and receive at present, relays left out: bits and packets a second."""
    conferences = bridge.media.conferences.values()
    transports = [one.transport for each in conferences for one in each.endpoints.values()]
    return {
        "incoming_bitrate": int(sum(one.received.bit_rate for one in transports)),
        "outgoing_bitrate": int(sum(one.sent.bit_rate for one in transports)),
        "incoming_packet_rate": int(sum(one.received.packet_rate for one in transports)),
        "outgoing_packet_rate": int(sum(one.sent.packet_rate for one in transports)),
    }


def _counters(bridge: Bridge) -> dict[str, object]:
    totals = bridge.media.totals
    counters = {
        "conferences_created": totals.created,
        "conferences_completed": totals.completed,
        "endpoints": totals.participants,
        "visitors": totals.visitors,
        "relays": totals.relays,
        "ice_succeeded": totals.ice_succeeded,
        "ice_failed": totals.ice_failed,
        "endpoints_dtls_failed": totals.dtls_failed,
        "relays_dtls_failed": totals.relays_dtls_failed,
        "packets_received": totals.packets_received,
        "packets_sent": totals.packets_sent,
        "bytes_received": totals.bytes_received,
        "bytes_sent": totals.bytes_sent,
        "relay_packets_received": totals.relay_packets_received,
        "relay_packets_sent": totals.relay_packets_sent,
        "relay_bytes_received": totals.relay_bytes_received,
        "relay_bytes_sent": totals.relay_bytes_sent,
        "dominant_speaker_changes": totals.speaker_changes,
        "colibri_web_socket_messages_received": totals.channel.websocket_received,
        "colibri_web_socket_messages_sent": totals.channel.websocket_sent,
        "data_channel_messages_received": totals.channel.data_received,
        "data_channel_messages_sent": totals.channel.data_sent,
    }
    return {f"{name}_total": value for name, value in counters.items()}


def render_metrics(metrics: dict[str, object]) -> str:
    """As OpenMetrics text."""
    return "".join(
        f"jitsi_jvb_{name} {float(value)}\n"  # type: ignore[arg-type]
        for name, value in metrics.items()
    )
