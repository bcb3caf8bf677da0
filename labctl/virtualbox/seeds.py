"""The seeds of VirtualBox's machines: one ISO per node and content, below the lab's folder.

The name tells the content, so that a machine with another seed attached is known by its path.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from labctl.model import Node, Topology
from labctl.vm.seed import contents_mark, identity, make_seed
from labctl.workdir import Workdir

LAB_FILE, NAT_FILE = "10-lab.network", "50-nat.network"
"""systemd-networkd's files, in the order in which it looks for one that matches an adapter."""

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
"""For VirtualBox's own adapter: an address, but no way out.  A lab sends nothing there."""


def seeds_folder(workdir: Workdir) -> Path:
    return workdir.path.resolve() / "seeds"


def seed_paths(workdir: Workdir, topology: Topology, *, macs: Mapping[str, str]) -> dict[str, Path]:
    """Where the seed of each node lies as it should be, whether it is there or not."""
    folder = seeds_folder(workdir)
    return {
        node.name: folder
        / f"{node.name}-{contents_mark(_files(workdir, topology, node, macs))}.iso"
        for node in topology.nodes
    }


def ensure_seeds(workdir: Workdir, topology: Topology, *, macs: Mapping[str, str]) -> None:
    """Make the seeds that are missing, and remove those that no node has any more."""
    paths = seed_paths(workdir, topology, macs=macs)
    seeds_folder(workdir).mkdir(mode=0o700, parents=True, exist_ok=True)
    for node in topology.nodes:
        target = paths[node.name]
        if target.is_file():
            continue
        with tempfile.TemporaryDirectory(prefix="labctl-seed-", dir=target.parent) as scratch:
            part = Path(scratch) / target.name
            make_seed(part, _files(workdir, topology, node, macs), scratch=Path(scratch))
            part.replace(target)
    for file in seeds_folder(workdir).glob("*.iso"):
        if file not in paths.values():
            file.unlink()


def render_network(node: Node, topology: Topology, *, mac: str) -> str:
    """systemd-networkd's file for the adapter in the lab's network: a fixed address, no way out."""
    pairs = ":".join(mac[start : start + 2] for start in range(0, len(mac), 2)).lower()
    return (
        f"[Match]\nMACAddress={pairs}\n\n"
        f"[Network]\nAddress={node.address}/{topology.network.prefixlen}\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )


def _files(
    workdir: Workdir, topology: Topology, node: Node, macs: Mapping[str, str]
) -> dict[str, tuple[bytes, int]]:
    network = render_network(node, topology, mac=macs[node.name])
    keys = identity(workdir.ssh / "nodes" / node.name, name=node.name)
    files = {LAB_FILE: network, NAT_FILE: NAT_NETWORK}
    return {**keys, **{name: (text.encode(), 0o644) for name, text in files.items()}}
