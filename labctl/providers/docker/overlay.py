"""The network of a lab on several machines: an attachable overlay network of Docker's swarm.

Every node keeps its own address.  The network is internal: without that, each container would have
a second address on its machine's `docker_gwbridge`, which bridges would offer to participants, and
a way out with the machine's address.
"""

from __future__ import annotations

from labctl.core.waiting import Deadline, wait_until
from labctl.providers.docker.command import docker
from labctl.topology.lab import Lab

DRIVER = "overlay"
GATEWAY_OFFSET = 2
"""Docker gives the gateway's address to a bridge on every machine, although nothing is routed; the
first address is this machine's leg."""

RANGE_OFFSET, RANGE_LENGTH = 64, 27
"""Where Docker takes the addresses that it gives itself, one for each machine: no node's."""

ENCRYPTED = "encrypted"
"""The option's name."""

JOIN_FAILED = "attaching to network failed"
"""What an engine says if the swarm's manager has not told it of a network within its own time."""

REMOVE_SECONDS = 30.0
"""How long the swarm may take to notice on all machines that the last container has gone."""


def create_words(lab: Lab) -> list[str]:
    """The options of `docker network create` that make it an overlay network."""
    return [
        *("--driver", DRIVER, "--attachable", "--internal"),
        *("--subnet", str(lab.topology.network)),
        *("--gateway", str(lab.topology.network[GATEWAY_OFFSET])),
        *("--ip-range", f"{lab.topology.network[RANGE_OFFSET]}/{RANGE_LENGTH}"),
        *(("--opt", ENCRYPTED) if lab.topology.spec.encrypt else ()),
    ]


def remove_overlay(name: str) -> None:
    """Remove an overlay network.  Errors: LabError of the engine if something still uses it."""

    def gone() -> bool:
        docker("network", "rm", name, check=False)
        return not docker("network", "ls", "--quiet", "--filter", f"name=^{name}$").strip()

    if not wait_until(gone, deadline=Deadline.after(REMOVE_SECONDS), interval=0.5):
        docker("network", "rm", name)
