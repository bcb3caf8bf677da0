"""A lab's libvirt network: this machine at .1, an address reserved for each node's MAC, no others.

It leads nowhere else: no forwarding, no name server.  libvirt's dnsmasq answers the nodes that are
named here, and nobody it does not know.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network

from labctl.libvirt.virsh import ask, virsh
from labctl.model import Topology
from labctl.network import bridge_name, check_network
from labctl.ownership import foreign, taken
from labctl.workdir import Workdir, write_file

NAMESPACE = "https://labctl.invalid/network"
OWNER = f"{{{NAMESPACE}}}lab"
QEMU_PREFIX = "52:54:00"
"""Of addresses that QEMU and libvirt give to machines."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network of libvirt: whose it is (a lab's folder, or empty), its addresses by MAC."""

    name: str
    owner: str
    bridge: str
    subnet: IPv4Network | None
    hosts: Mapping[str, tuple[str, str]]


def network_name(lab: str) -> str:
    return f"labctl-{lab}"


def mac_of(workdir: Workdir, node: str) -> str:
    """A node's MAC: the same at every `up`, another for every lab of every checkout."""
    mark = sha256(f"{workdir.path.resolve()}/{node}".encode()).digest()
    return f"{QEMU_PREFIX}:{mark[0]:02x}:{mark[1]:02x}:{mark[2]:02x}"


def wanted(workdir: Workdir, topology: Topology) -> Network:
    """The network that a lab shall have."""
    return Network(
        name=network_name(workdir.lab),
        owner=str(workdir.path.resolve()),
        bridge=bridge_name(workdir),
        subnet=topology.network,
        hosts={
            mac_of(workdir, node.name): (node.name, str(node.address)) for node in topology.nodes
        },
    )


def check_free(workdir: Workdir, topology: Topology) -> Network | None:
    """The lab's network as it is now, or None; looks and changes nothing.

    Errors: LabError when another lab, another network of libvirt or another interface has the
    addresses or the name that the lab wants.
    """
    mine = None
    for network in read_networks():
        ours = network.owner == str(workdir.path.resolve())
        if network.name == network_name(workdir.lab):
            if not ours:
                raise foreign(f"The libvirt network '{network.name}'", network.owner)
            mine = network
        elif network.subnet and network.subnet.overlaps(topology.network):
            thing = f"the libvirt network '{network.name}'"
            raise taken(topology.network, thing, network.owner)
    check_network(topology.network, allow=(bridge_name(workdir),))
    return mine


def ensure_network(workdir: Workdir, topology: Topology) -> None:
    """Define and start the lab's network; one that runs gets new nodes without a stop.

    Errors: those of `check_free`, and virsh's.
    """
    mine, goal = check_free(workdir, topology), wanted(workdir, topology)
    if mine is not None and (mine.bridge, mine.subnet) != (goal.bridge, goal.subnet):
        _remove(mine.name)
        mine = None
    if mine is None:
        file = workdir.path / "network.xml"
        write_file(file, render_network(goal))
        virsh("net-define", file)
    else:
        _update_hosts(mine, goal)
    if not _is_active(goal.name):
        virsh("net-start", goal.name)
        virsh("net-autostart", goal.name, check=False)


def remove_network(workdir: Workdir) -> None:
    """Remove the lab's network, if there is one that is this lab's."""
    for network in read_networks():
        if network.owner == str(workdir.path.resolve()):
            _remove(network.name)


def read_networks() -> list[Network]:
    """All networks that libvirt knows."""
    names = virsh("net-list", "--all", "--name").split()
    return [parse_network(virsh("net-dumpxml", "--inactive", name)) for name in names]


def render_network(network: Network) -> str:
    """A network as libvirt's XML (https://libvirt.org/formatnetwork.html)."""
    assert network.subnet is not None
    ET.register_namespace("labctl", NAMESPACE)
    root = ET.Element("network")
    ET.SubElement(root, "name").text = network.name
    ET.SubElement(ET.SubElement(root, "metadata"), OWNER, folder=network.owner)
    ET.SubElement(root, "bridge", name=network.bridge, stp="off", delay="0")
    ET.SubElement(root, "dns", enable="no")
    address, mask = str(network.subnet[1]), str(network.subnet.netmask)
    dhcp = ET.SubElement(ET.SubElement(root, "ip", address=address, netmask=mask), "dhcp")
    dhcp.extend(_host(mac, *host) for mac, host in network.hosts.items())
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def parse_network(text: str) -> Network:
    """A network from libvirt's XML."""
    root = ET.fromstring(text)
    owner, bridge, ip = root.find(f"metadata/{OWNER}"), root.find("bridge"), root.find("ip")
    subnet = None
    if ip is not None and ip.get("family", "ipv4") == "ipv4":
        mask = ip.get("netmask") or ip.get("prefix") or "32"
        subnet = IPv4Network(f"{ip.get('address')}/{mask}", strict=False)
    return Network(
        name=root.findtext("name", ""),
        owner=owner.get("folder", "") if owner is not None else "",
        bridge=bridge.get("name", "") if bridge is not None else "",
        subnet=subnet,
        hosts={
            host.get("mac", ""): (host.get("name", ""), host.get("ip", ""))
            for host in root.findall("ip/dhcp/host")
        },
    )


def _host(mac: str, name: str, address: str) -> ET.Element:
    host = ET.Element("host", mac=mac, name=name, ip=address)
    # For ever: a machine that is paused or cut off for long keeps its address.
    ET.SubElement(host, "lease", expiry="0")
    return host


def _update_hosts(mine: Network, goal: Network) -> None:
    live = ["--live"] if _is_active(mine.name) else []
    for verb, before, after in (("delete", mine, goal), ("add-last", goal, mine)):
        for mac, host in before.hosts.items():
            if after.hosts.get(mac) != host:
                text = ET.tostring(_host(mac, *host), encoding="unicode")
                virsh("net-update", mine.name, verb, "ip-dhcp-host", text, "--config", *live)


def _is_active(name: str) -> bool:
    return name in virsh("net-list", "--name").split()


def _remove(name: str) -> None:
    ask("net-destroy", name)
    virsh("net-undefine", name)
