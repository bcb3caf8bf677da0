"""Which ports each node opens, and to whom: the one table of the lab's network surface.

The firewall of every node is rendered from it and the acceptance suite scans for exactly it, so
a port that is in neither place cannot be opened by accident.  Pure data, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from labctl.model import Node, Role, Topology

BRIDGE_WEBSOCKET_PORT = 9090
"""Conventional public HTTP port of a bridge; only nginx on the JMS talks to it."""


class Proto(StrEnum):
    """Transport protocols."""

    TCP = "tcp"
    UDP = "udp"


class Origin(StrEnum):
    """Who may reach a port."""

    ANY = "any"
    """Everybody on the lab's network, the host included."""
    CLUSTER = "cluster"
    """Every node of the lab."""
    JMS = "jms"
    BRIDGES = "bridges"
    """Nodes of role jvb."""
    VISITORS = "visitors"
    """Nodes of role visitors."""
    HOST = "host"
    """The machine that runs labctl."""
    SELF = "self"
    """The node itself: it listens on its address, the firewall lets nobody else in."""


@dataclass(frozen=True, slots=True)
class Port:
    """One port that a node listens on: protocol, number, who may reach it, who listens."""

    proto: Proto
    number: int
    from_: Origin
    what: str

    def __str__(self) -> str:
        return f"{self.number}/{self.proto}"


SSH = Port(Proto.TCP, 22, Origin.ANY, "sshd")
MEDIA = Port(Proto.UDP, 10000, Origin.ANY, "jitsi-videobridge2")

# Clients reach media through it where they may not speak to a bridge: by UDP, or by TLS.
TURN_PORTS = (
    Port(Proto.UDP, 3478, Origin.ANY, "coturn"),
    Port(Proto.TCP, 5349, Origin.ANY, "coturn"),
)

JMS_PORTS = (
    SSH,
    Port(Proto.TCP, 80, Origin.ANY, "nginx"),
    Port(Proto.TCP, 443, Origin.ANY, "nginx"),
    Port(Proto.TCP, 5222, Origin.BRIDGES, "prosody"),
    Port(Proto.TCP, 5269, Origin.VISITORS, "prosody"),
)


def declared_ports(topology: Topology, node: Node) -> tuple[Port, ...]:
    """Every port that `node` may listen on off loopback, in order of number.

    Source: the ports per role in Jitsi's handbook, and for the vnodes the visitor template.
    """
    ports = list(JMS_PORTS if node.role is Role.JMS else (SSH,))
    if node.bridge is not None:
        ports.append(MEDIA)
        if topology.relays:
            nginx = Origin.SELF if node.role is Role.JMS else Origin.JMS
            ports.append(Port(Proto.TCP, BRIDGE_WEBSOCKET_PORT, nginx, "jitsi-videobridge2"))
    if node.turn:
        ports += TURN_PORTS
    # Vnodes on the JMS are on loopback: their ports are nobody else's business.
    for vnode in node.vnodes if node.role is Role.VISITORS else ():
        ports += [
            Port(Proto.TCP, number, Origin.JMS, f"prosody-v@{vnode.index}")
            for number in (vnode.c2s_port, vnode.s2s_port, vnode.http_port)
        ]
    return tuple(sorted(ports, key=lambda port: (port.number, port.proto)))


def origin_addresses(topology: Topology, origin: Origin) -> tuple[IPv4Address, ...] | None:
    """The addresses that `origin` stands for; None for anybody, empty for nobody."""
    if origin is Origin.ANY:
        return None
    if origin is Origin.HOST:
        return (topology.host_address,)
    roles = {
        Origin.CLUSTER: tuple(Role),
        Origin.JMS: (Role.JMS,),
        Origin.BRIDGES: (Role.JVB,),
        Origin.VISITORS: (Role.VISITORS,),
    }.get(origin, ())
    return tuple(node.address for node in topology.nodes if node.role in roles)


def reachable(topology: Topology, port: Port, *, source: IPv4Address) -> bool:
    """Whether a packet from `source` to this port may pass the node's firewall."""
    addresses = origin_addresses(topology, port.from_)
    return addresses is None or source in addresses
