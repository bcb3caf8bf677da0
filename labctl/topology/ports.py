"""Which ports each node opens, and to whom, from the table of roles.  Pure data, no I/O.

The firewall of every node is rendered from this, and the acceptance suite scans for exactly these
ports, so no other port can be opened by accident.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import assert_never

from labctl.topology.model import Node, Topology
from labctl.topology.roles import units_of
from labctl.topology.spec import Role, Spec
from labctl.topology.units import Port, PortOrigin


def declared_ports(topology: Topology, node: Node) -> tuple[Port, ...]:
    """Every port that `node` may listen on outside loopback, sorted by number.

    Source: the ports per role in Jitsi's handbook; for vnodes, the visitor template.
    """
    ports = [
        port if port.what else replace(port, what=unit.stem)
        for unit in units_of(node)
        for port in unit.ports
        if port.from_ is not PortOrigin.LOOPBACK and exists(port, topology.spec)
    ]
    return tuple(sorted(ports, key=lambda port: (port.number, port.proto)))


def exists(port: Port, spec: Spec) -> bool:
    """Whether a port is there in such a lab."""
    return (spec.relays or not port.relays) and (spec.monitoring or not port.monitored)


def origin_addresses(topology: Topology, origin: PortOrigin) -> tuple[IPv4Address, ...] | None:
    """The addresses that `origin` means; None for anybody, empty for nobody."""
    others = [node for node in topology.nodes if node.role is not Role.JMS]
    match origin:
        case PortOrigin.ANY:
            return None
        case PortOrigin.CLUSTER:
            return tuple(node.address for node in topology.nodes)
        case PortOrigin.JMS:
            return (topology.jms.address,)
        case PortOrigin.BRIDGES:
            return tuple(node.address for node in others if node.bridge is not None)
        case PortOrigin.VISITORS:
            return tuple(node.address for node in others if node.vnodes)
        case PortOrigin.MONITORING:
            return tuple(node.address for node in others if node.role is Role.MONITORING)
        case PortOrigin.HOST:
            return (topology.host_address,)
        case PortOrigin.SELF | PortOrigin.LOOPBACK:
            return ()
        case _:
            assert_never(origin)


def reachable(topology: Topology, port: Port, *, source: IPv4Address) -> bool:
    """Whether a packet from `source` to this port may pass the node's firewall."""
    addresses = origin_addresses(topology, port.from_)
    return addresses is None or source in addresses
