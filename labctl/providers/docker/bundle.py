"""What a lab of containers needs in a folder for another machine."""

from __future__ import annotations

from labctl.providers.base import BundleParts
from labctl.providers.docker.containers import RESOLV_CONF
from labctl.providers.vm.seed import identity
from labctl.topology.lab import Lab


def bundle(lab: Lab) -> BundleParts:
    """See `labctl.providers.base.Provider`."""
    keys = lab.folder.ssh / "nodes"
    return BundleParts(
        identities={
            node.name: identity(keys / node.name, name=node.name) for node in lab.topology.nodes
        },
        volumes=False,
        files={"resolv.conf": RESOLV_CONF},
    )
