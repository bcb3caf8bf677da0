"""The words of labctl as values: spec, topology, node, role, vnode.  Pure data, no I/O.

Everything else reads these.  `Topology.to_json` is what `topology.json` holds, and that file is
all that the Vagrantfile, the provisioner and the acceptance tests know of a lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

TOPOLOGY_FORMAT = 1
LOOPBACK = IPv4Address("127.0.0.1")

HOST_OFFSET = 1
"""Where the machine that runs labctl stands in the lab's network."""

JMS_SUBDOMAINS = ("auth", "internal.auth", "conference", "focus", "visitors")
"""Names below the main domain that other nodes look up; all of them are the JMS."""

VNODE_DOMAIN = "meet.jitsi"
"""Suffix of every vnode's domain; hard-coded in Jitsi's Prosody plugins and in its client."""


class Role(StrEnum):
    """What a node is for; one image per role."""

    JMS = "jms"
    JVB = "jvb"
    VISITORS = "visitors"


class Provider(StrEnum):
    """What runs the machines; `auto` is what works here best (`labctl.choice`)."""

    AUTO = "auto"
    DOCKER = "docker"
    LIBVIRT = "libvirt"
    VIRTUALBOX = "virtualbox"


class VisitorsLayout(StrEnum):
    """Where the visitor Prosodies run."""

    NODES = "nodes"
    LOCAL = "local"
    """On the JMS itself, on loopback, as upstream's `pre-configure.sh` makes them."""


class PackageSource(StrEnum):
    """Where Jitsi's packages come from."""

    AUTO = "auto"
    JITSI = "jitsi"
    DEBS = "debs"
    STAND_INS = "stand-ins"


class Channel(StrEnum):
    """Suites of Jitsi's apt repository."""

    STABLE = "stable"
    TESTING = "testing"
    UNSTABLE = "unstable"


@dataclass(frozen=True, slots=True)
class VNode:
    """One visitor Prosody: `v<index>`, index from 1.

    Ports are added, never glued, so that ten and more work (upstream's `pre-configure.sh`
    concatenates and stops at nine).
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
        return 52220 + self.index

    @property
    def s2s_port(self) -> int:
        return 52690 + self.index

    @property
    def http_port(self) -> int:
        return 52800 + self.index

    @property
    def unit(self) -> str:
        return f"prosody-v@{self.index}.service"


@dataclass(frozen=True, slots=True)
class Size:
    """What a machine gets: memory in MiB and virtual CPUs."""

    memory_mib: int
    cpus: int


@dataclass(frozen=True, slots=True)
class Packages:
    """Which Jitsi packages the images hold.

    For source `debs`, `path` is the directory of .deb files, or `files` are these files.
    `versions` pins package names to exact versions.  `repository` and `key` (the fingerprint of
    what signs it) stand for Jitsi's own where they are empty.
    """

    source: PackageSource = PackageSource.AUTO
    channel: Channel = Channel.STABLE
    path: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    repository: str = ""
    key: str = ""


DEFAULT_SIZES: Mapping[Role, Size] = {
    Role.JMS: Size(memory_mib=4096, cpus=2),
    Role.JVB: Size(memory_mib=2048, cpus=2),
    Role.VISITORS: Size(memory_mib=1024, cpus=2),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """A lab as its user wants it, checked (`labctl.spec` makes it and reports every problem)."""

    lab: str = "default"
    provider: Provider = Provider.DOCKER
    domain: str = "meet.lab.internal"
    network: IPv4Network = field(default_factory=lambda: IPv4Network("192.168.56.0/24"))
    jvbs: int = 2
    visitors: int = 8
    visitors_per_node: int = 8
    visitors_layout: VisitorsLayout = VisitorsLayout.NODES
    max_participants: int = 30
    relays: bool = False
    turn: bool = False
    packages: Packages = field(default_factory=Packages)
    sizes: Mapping[Role, Size] = field(default_factory=lambda: dict(DEFAULT_SIZES))


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of the lab.

    `bridge` is the nick of the node's videobridge in the brewery, or None where it has none;
    `turn` says whether it runs coturn.
    `image` is what the provider starts (a Docker image reference, a Vagrant box name), empty
    until the images are known.
    """

    name: str
    role: Role
    address: IPv4Address
    size: Size
    bridge: str | None = None
    vnodes: tuple[VNode, ...] = ()
    turn: bool = False
    image: str = ""

    @property
    def vnode_address(self) -> IPv4Address:
        """Where Jicofo, nginx and the main Prosody reach the vnodes that the node holds."""
        return LOOPBACK if self.role is Role.JMS else self.address


@dataclass(frozen=True, slots=True)
class Topology:
    """A lab resolved: every node with its role and address."""

    lab: str
    provider: Provider
    domain: str
    network: IPv4Network
    max_participants: int
    relays: bool
    packages: Packages
    nodes: tuple[Node, ...]

    @property
    def host_address(self) -> IPv4Address:
        """The address of the machine that runs labctl on the lab's network."""
        return self.network[HOST_OFFSET]

    @property
    def jms(self) -> Node:
        return next(node for node in self.nodes if node.role is Role.JMS)

    @property
    def hosts(self) -> dict[str, IPv4Address]:
        """What every node finds in its hosts file: the domain's names and all nodes."""
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
        """The node called `name`; KeyError where there is none."""
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
        """Plain data for topology.json."""
        return {
            "format": TOPOLOGY_FORMAT,
            "lab": self.lab,
            "provider": str(self.provider),
            "domain": self.domain,
            "network": {"cidr": str(self.network), "host": str(self.host_address)},
            "max_participants": self.max_participants,
            "relays": self.relays,
            "packages": asdict(self.packages),
            "hosts": {name: str(address) for name, address in self.hosts.items()},
            "nodes": [_node_to_json(node) for node in self.nodes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Topology:
        """The topology that `to_json` wrote; ValueError for another format."""
        if data.get("format") != TOPOLOGY_FORMAT:
            raise ValueError(f"topology format {data.get('format')!r}, need {TOPOLOGY_FORMAT}")
        return cls(
            lab=data["lab"],
            provider=Provider(data["provider"]),
            domain=data["domain"],
            network=IPv4Network(data["network"]["cidr"]),
            max_participants=data["max_participants"],
            relays=data["relays"],
            packages=_packages_from_json(data["packages"]),
            nodes=tuple(_node_from_json(node) for node in data["nodes"]),
        )


def _packages_from_json(data: Mapping[str, Any]) -> Packages:
    source, channel = PackageSource(data["source"]), Channel(data["channel"])
    files = tuple(data.get("files", ()))
    return Packages(**{**data, "source": source, "channel": channel, "files": files})


def _node_to_json(node: Node) -> dict[str, Any]:
    return {
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
    )
