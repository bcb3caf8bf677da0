"""What a lab of VirtualBox's machines needs in a folder for another machine."""

from __future__ import annotations

from labctl.providers.base import BundleParts
from labctl.providers.virtualbox.machines import lab_macs
from labctl.providers.virtualbox.seeds import seed_files
from labctl.topology.lab import Lab


def bundle(lab: Lab) -> BundleParts:
    """See `labctl.providers.base.Provider`."""
    macs, netmask = lab_macs(lab), str(lab.topology.network.netmask)
    return BundleParts(
        identities={node.name: seed_files(lab, node, macs) for node in lab.topology.nodes},
        volumes=True,
        machines={name: {"mac": mac, "netmask": netmask} for name, mac in macs.items()},
    )
