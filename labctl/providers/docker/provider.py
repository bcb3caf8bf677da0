"""Nodes as containers of the Docker engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.host.needs import Need
from labctl.images.store import ImageStore
from labctl.providers.base import Ability, PassingError, Rank
from labctl.providers.docker import (
    checks,
    crowdhosts,
    engine,
    network,
    overlay,
    prove,
    spread,
    swarm,
)
from labctl.providers.docker.bundle import bundle
from labctl.providers.docker.images import DOCKER_IMAGES
from labctl.providers.docker.machines import split
from labctl.providers.docker.needs import DOCKER
from labctl.topology.spec import ProviderName


@dataclass(frozen=True)
class DockerProvider:
    """See `labctl.providers.base.Provider`."""

    name: ProviderName = ProviderName.DOCKER
    machines: str = "containers"
    own_kernel: bool = False
    writes_hosts: bool = True
    network_first: bool = True
    parallel_up: bool = True
    spreads: bool = True
    lacks: Mapping[Ability, str] = field(
        default_factory=lambda: {
            Ability.OWN_CLOCK: "a container has no clock of its own: setting it would change the"
            " host's",
        }
    )
    ssh_seconds: float = 30.0
    needs: tuple[Need, ...] = DOCKER
    images: ImageStore = DOCKER_IMAGES

    find_problem = staticmethod(engine.find_problem)
    ensure = staticmethod(engine.ensure_engine)
    check = staticmethod(checks.check_docker)
    check_hosts = staticmethod(swarm.check_hosts)
    prove = staticmethod(prove.prove_node)
    check_network = staticmethod(network.check_network)
    prepare = staticmethod(spread.prepare)
    vagrant_data = staticmethod(spread.vagrant_data)
    split = staticmethod(split)
    read_states = staticmethod(spread.read_states)
    start = staticmethod(spread.start)
    halt = staticmethod(spread.halt)
    read_console = staticmethod(spread.read_console)
    crowd_hosts = staticmethod(crowdhosts.crowd_hosts)
    bundle = staticmethod(bundle)
    clean = staticmethod(spread.clean)

    def rank(self) -> tuple[Rank, str]:
        return Rank.CONTAINERS, "containers start at once and need no virtualisation"

    def own_interfaces(self) -> tuple[str, ...]:
        return ()

    def explain(self, output: str) -> LabError | None:
        if overlay.JOIN_FAILED in output:
            return PassingError("A node's engine could not join the lab's network in time.")
        # Where a Vagrant's search for taken ports cannot be turned off (Vagrantfile), it inspects
        # every container of the engine, whoever it belongs to.
        if "No such object" not in output:
            return None
        return PassingError(
            "A container vanished while Vagrant looked at all that the engine has.",
            hint="Run the same command again to continue.",
        )
