"""A lab as values: topology, node, vnode.  Pure data, no I/O.

All other packages read these.  `Topology.to_json` gives the content of `topology.json`; the
Vagrantfile, the provisioner and the acceptance tests know nothing else of a lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from labctl.topology.hosts import HERE
from labctl.topology.spec import ProviderName, Role, Size, Spec

TOPOLOGY_FORMAT = 2
LOOPBACK = IPv4Address("127.0.0.1")

HOST_OFFSET = 1
"""The offset of the machine that runs labctl in the lab's network."""

JMS_SUBDOMAINS = ("auth", "internal.auth", "conference", "focus", "visitors")
"""Names below the main domain that other nodes look up; all of them mean the JMS."""

VNODE_DOMAIN = "meet.jitsi"
"""Suffix of every vnode's domain; hard-coded in Jitsi's Prosody plugins and in its client."""

VNODE_C2S, VNODE_S2S, VNODE_HTTP = 52220, 52690, 52800
"""Base ports of a vnode; its index is added to each."""


@dataclass(frozen=True, slots=True)
class VNode:
    """One visitor Prosody: `v<index>`, index from 1.

    The index is added to a base port, so that more than nine vnodes work; upstream's
    `pre-configure.sh` appends it as a digit and stops at nine.
    """

    index: int

    @property
    def name(self) -> str:
        return f"v{self.index}"

    @property
    def domain(self) -> str:
        return f"{self.name}.{VNODE_DOMAIN}"

    @property
    def c2s_port(self) -> int:
        return VNODE_C2S + self.index

    @property
    def s2s_port(self) -> int:
        return VNODE_S2S + self.index

    @property
    def http_port(self) -> int:
        return VNODE_HTTP + self.index

    @property
    def unit(self) -> str:
        return f"prosody-v@{self.index}.service"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the lab.

    `bridge` is the nick of the node's videobridge in the brewery, or None if it has none.
    `turn` says whether it runs coturn.  `image` is what the provider starts (a Docker image
    reference, a Vagrant box name); it is empty until the images are known.  `host` is the machine
    that the node is on, if the lab is spread over several (`labctl.topology.hosts`).
    """

    name: str
    role: Role
    address: IPv4Address
    size: Size
    bridge: str | None = None
    vnodes: tuple[VNode, ...] = ()
    turn: bool = False
    image: str = ""
    host: str = ""

    @property
    def vnode_address(self) -> IPv4Address:
        """The address at which Jicofo, nginx and the main Prosody reach the node's vnodes."""
        return LOOPBACK if self.role is Role.JMS else self.address


@dataclass(frozen=True, slots=True)
class Topology:
    """A lab resolved: every node with its role and address."""

    spec: Spec
    nodes: tuple[Node, ...]

    @property
    def lab(self) -> str:
        return self.spec.lab

    @property
    def provider(self) -> ProviderName:
        return self.spec.provider

    @property
    def domain(self) -> str:
        return self.spec.domain

    @property
    def network(self) -> IPv4Network:
        return self.spec.network

    @property
    def host_address(self) -> IPv4Address:
        """The address of the machine that runs labctl on the lab's network."""
        return self.network[HOST_OFFSET]

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines that the lab uses: first this one, which is always in its network."""
        return (HERE, *(host for host in self.spec.hosts if host != HERE))

    @property
    def jms(self) -> Node:
        return next(node for node in self.nodes if node.role is Role.JMS)

    @property
    def hosts(self) -> dict[str, IPv4Address]:
        """The content of every node's hosts file: the domain's names and all nodes."""
        names = [self.domain, *(f"{part}.{self.domain}" for part in JMS_SUBDOMAINS)]
        hosts = {name: self.jms.address for name in names if name != str(self.jms.address)}
        return hosts | {node.name: node.address for node in self.nodes}

    @property
    def bridges(self) -> tuple[str, ...]:
        """Nicks of all bridges, the JMS's own first."""
        return tuple(node.bridge for node in self.nodes if node.bridge is not None)

    @property
    def vnodes(self) -> tuple[VNode, ...]:
        return tuple(vnode for node in self.nodes for vnode in node.vnodes)

    def node(self, name: str) -> Node:
        """The node called `name`.  Errors: KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def vnode_nodes(self) -> Iterator[tuple[VNode, Node]]:
        """Each vnode with the node that holds it."""
        for node in self.nodes:
            for vnode in node.vnodes:
                yield vnode, node

    def with_images(self, images: Mapping[Role, str]) -> Topology:
        """The same topology with each node's image filled in."""
        nodes = tuple(replace(node, image=images[node.role]) for node in self.nodes)
        return replace(self, nodes=nodes)

    def to_json(self) -> dict[str, Any]:
        """Plain data for topology.json: the spec, and what the Vagrantfile reads."""
        return {
            "format": TOPOLOGY_FORMAT,
            "lab": self.lab,
            "spec": self.spec.to_json(),
            "network": {"cidr": str(self.network), "host": str(self.host_address)},
            "hosts": {name: str(address) for name, address in self.hosts.items()},
            "nodes": [_node_to_json(node) for node in self.nodes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Topology:
        """The topology that `to_json` wrote.  Errors: ValueError for another format."""
        if data.get("format") != TOPOLOGY_FORMAT:
            raise ValueError(f"topology format {data.get('format')!r}, need {TOPOLOGY_FORMAT}")
        spec = Spec.from_json(data["spec"])
        return cls(spec, tuple(_node_from_json(node) for node in data["nodes"]))


def _node_to_json(node: Node) -> dict[str, Any]:
    data = {
        "name": node.name,
        "role": str(node.role),
        "address": str(node.address),
        "memory_mib": node.size.memory_mib,
        "cpus": node.size.cpus,
        "bridge": node.bridge,
        "vnodes": [vnode.index for vnode in node.vnodes],
        "turn": node.turn,
        "image": node.image,
    }
    return data | ({"host": node.host} if node.host else {})


def _node_from_json(data: Mapping[str, Any]) -> Node:
    return Node(
        name=data["name"],
        role=Role(data["role"]),
        address=IPv4Address(data["address"]),
        size=Size(memory_mib=data["memory_mib"], cpus=data["cpus"]),
        bridge=data["bridge"],
        vnodes=tuple(VNode(index) for index in data["vnodes"]),
        turn=data.get("turn", False),
        image=data["image"],
        host=data.get("host", ""),
    )
