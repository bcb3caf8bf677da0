"""A lab's libvirt network: this machine at .1, an address reserved for each node's MAC, no others.

It is isolated: no forwarding, no name server.  libvirt's dnsmasq answers only the nodes that are
named here.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network

from labctl.core.files import write_file
from labctl.host.network import bridge_name, check_network
from labctl.providers.libvirt.virsh import ask, virsh
from labctl.providers.ownership import network_taken, owned_by_other
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

NAMESPACE = "https://labctl.invalid/network"
OWNER = f"{{{NAMESPACE}}}lab"
QEMU_PREFIX = "52:54:00"
"""The prefix of the MAC addresses that QEMU and libvirt use."""


@dataclass(frozen=True, slots=True)
class LibvirtNetwork:
    """A libvirt network: its owner (a lab's folder, or empty), and its addresses by MAC."""

    name: str
    owner: str
    bridge: str
    subnet: IPv4Network | None
    hosts: Mapping[str, tuple[str, str]]


def network_name(lab: str) -> str:
    return f"labctl-{lab}"


def mac_of(workdir: Workdir, node: str) -> str:
    """A node's MAC: the same at every `up`, and different for every lab of every checkout."""
    mark = sha256(f"{workdir.path.resolve()}/{node}".encode()).digest()
    return f"{QEMU_PREFIX}:{mark[0]:02x}:{mark[1]:02x}:{mark[2]:02x}"


def wanted(lab: Lab) -> LibvirtNetwork:
    """The network that a lab must have."""
    return LibvirtNetwork(
        name=network_name(lab.folder.lab),
        owner=str(lab.folder.path.resolve()),
        bridge=bridge_name(lab.folder),
        subnet=lab.topology.network,
        hosts={
            mac_of(lab.folder, node.name): (node.name, str(node.address))
            for node in lab.topology.nodes
        },
    )


def check_free(lab: Lab) -> LibvirtNetwork | None:
    """The lab's network as it is now, or None; changes nothing.

    Errors: LabError if another lab, another libvirt network or another interface has the addresses
    or the name that the lab needs.
    """
    mine = None
    for network in read_networks():
        ours = network.owner == str(lab.folder.path.resolve())
        if network.name == network_name(lab.folder.lab):
            if not ours:
                raise owned_by_other(f"The libvirt network '{network.name}'", network.owner)
            mine = network
        elif network.subnet and network.subnet.overlaps(lab.topology.network):
            thing = f"the libvirt network '{network.name}'"
            raise network_taken(lab.topology.network, thing, network.owner)
    check_network(lab.topology.network, allow=(bridge_name(lab.folder),))
    return mine


def ensure_network(lab: Lab) -> None:
    """Define and start the lab's network; a running one gets new nodes without a restart.

    Errors: those of `check_free`, and virsh's.
    """
    mine, goal = check_free(lab), wanted(lab)
    if mine is not None and (mine.bridge, mine.subnet) != (goal.bridge, goal.subnet):
        _remove(mine.name)
        mine = None
    if mine is None:
        file = lab.folder.path / "network.xml"
        write_file(file, render_network(goal))
        virsh("net-define", file)
    else:
        _update_hosts(mine, goal)
    if not _is_active(goal.name):
        virsh("net-start", goal.name)
        virsh("net-autostart", goal.name, check=False)


def remove_network(workdir: Workdir) -> None:
    """Remove the lab's network, if it has one."""
    for network in read_networks():
        if network.owner == str(workdir.path.resolve()):
            _remove(network.name)


def read_networks() -> list[LibvirtNetwork]:
    """All networks that libvirt knows."""
    names = virsh("net-list", "--all", "--name").split()
    return [parse_network(virsh("net-dumpxml", "--inactive", name)) for name in names]


def render_network(network: LibvirtNetwork) -> str:
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


def parse_network(text: str) -> LibvirtNetwork:
    """A network from libvirt's XML."""
    root = ET.fromstring(text)
    owner, bridge, ip = root.find(f"metadata/{OWNER}"), root.find("bridge"), root.find("ip")
    subnet = None
    if ip is not None and ip.get("family", "ipv4") == "ipv4":
        mask = ip.get("netmask") or ip.get("prefix") or "32"
        subnet = IPv4Network(f"{ip.get('address')}/{mask}", strict=False)
    return LibvirtNetwork(
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
    # Without an end, so that a machine keeps its address after a long pause or disconnection.
    ET.SubElement(host, "lease", expiry="0")
    return host


def _update_hosts(mine: LibvirtNetwork, goal: LibvirtNetwork) -> None:
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
