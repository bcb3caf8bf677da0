"""The seeds of VirtualBox machines: one ISO per node and content, below the lab's folder.

The name depends on the content, so the path shows whether a machine has another seed attached.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from labctl.providers.vm.seed import contents_mark, identity, make_seed
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.workdir import Workdir

LAB_FILE, NAT_FILE = "10-lab.network", "50-nat.network"
"""systemd-networkd's files, in the order in which it tries them for an adapter."""

NAT_NETWORK = """\
[Match]
Type=ether

[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no

[DHCPv4]
ClientIdentifier=mac
UseRoutes=no
UseGateway=no
UseDNS=no
UseNTP=no
UseHostname=no
"""
"""For VirtualBox's own adapter: an address, but no routes, because a lab sends nothing there."""


def seeds_folder(workdir: Workdir) -> Path:
    return workdir.path.resolve() / "seeds"


def seed_paths(lab: Lab, *, macs: Mapping[str, str]) -> dict[str, Path]:
    """The path of each node's current seed, whether it exists or not."""
    folder = seeds_folder(lab.folder)
    return {
        node.name: folder / f"{node.name}-{contents_mark(seed_files(lab, node, macs))}.iso"
        for node in lab.topology.nodes
    }


def ensure_seeds(lab: Lab, *, macs: Mapping[str, str]) -> None:
    """Make missing seeds, and remove those that no node uses any more."""
    paths = seed_paths(lab, macs=macs)
    seeds_folder(lab.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for node in lab.topology.nodes:
        target = paths[node.name]
        if target.is_file():
            continue
        with tempfile.TemporaryDirectory(prefix="labctl-seed-", dir=target.parent) as scratch:
            part = Path(scratch) / target.name
            make_seed(part, seed_files(lab, node, macs), scratch=Path(scratch))
            part.replace(target)
    for file in seeds_folder(lab.folder).glob("*.iso"):
        if file not in paths.values():
            file.unlink()


def render_network(node: Node, topology: Topology, *, mac: str) -> str:
    """systemd-networkd's file for the adapter in the lab's network: a fixed address, no routes."""
    pairs = ":".join(mac[start : start + 2] for start in range(0, len(mac), 2)).lower()
    return (
        f"[Match]\nMACAddress={pairs}\n\n"
        f"[Network]\nAddress={node.address}/{topology.network.prefixlen}\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )


def seed_files(lab: Lab, node: Node, macs: Mapping[str, str]) -> dict[str, tuple[bytes, int]]:
    """Contents and modes of a node's seed, by name."""
    network = render_network(node, lab.topology, mac=macs[node.name])
    keys = identity(lab.folder.ssh / "nodes" / node.name, name=node.name)
    files = {LAB_FILE: network, NAT_FILE: NAT_NETWORK}
    return {**keys, **{name: (text.encode(), 0o644) for name, text in files.items()}}
