"""What a lab of libvirt's machines needs in a folder for another machine."""

from __future__ import annotations

from dataclasses import replace

from labctl.providers.base import BundleParts
from labctl.providers.libvirt.network import mac_of, render_network, wanted
from labctl.providers.vm.seed import identity
from labctl.topology.lab import Lab


def bundle(lab: Lab) -> BundleParts:
    """See `labctl.providers.base.Provider`."""
    keys, nodes = lab.folder.ssh / "nodes", lab.topology.nodes
    # Its owner is a folder of this machine, which the other one does not have.
    network = replace(wanted(lab), owner=f"bundle {lab.topology.lab}")
    return BundleParts(
        identities={node.name: identity(keys / node.name, name=node.name) for node in nodes},
        volumes=True,
        machines={node.name: {"mac": mac_of(lab.folder, node.name)} for node in nodes},
        files={"network.xml": render_network(network)},
    )
