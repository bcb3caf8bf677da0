"""A provider that only pretends: it remembers what it was asked and keeps states in memory.

A whole provider by its face alone, so it shows what one takes; no test of labctl needs another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.core.checks import Check
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.host.needs import Need
from labctl.images.store import ImageStore
from labctl.providers.base import (
    Ability,
    BundleParts,
    CrowdHost,
    Rank,
    in_one_run,
    no_crowd_hosts,
    no_hosts,
)
from labctl.providers.docker.images import DOCKER_IMAGES
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import Workdir


def no_problem() -> str | None:
    return None


@dataclass
class NullProvider:
    """See `labctl.providers.base.Provider`; `said` is what it was asked, in order."""

    name: ProviderName = ProviderName.DOCKER
    machines: str = "pretended machines"
    own_kernel: bool = False
    writes_hosts: bool = True
    network_first: bool = True
    parallel_up: bool = True
    spreads: bool = False
    lacks: Mapping[Ability, str] = field(default_factory=dict)
    ssh_seconds: float = 1.0
    needs: tuple[Need, ...] = ()
    images: ImageStore = DOCKER_IMAGES

    said: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)
    consoles: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    rank_here: Rank = Rank.OTHER_HYPERVISOR
    find_problem: Callable[[], str | None] = no_problem

    def rank(self) -> tuple[Rank, str]:
        return self.rank_here, f"it is {self.rank_here.name}"

    def ensure(self, progress: Progress) -> None:
        self.said.append("ensure")

    def check(self) -> list[Check]:
        return []

    def check_hosts(self, hosts: Sequence[str]) -> list[Check]:
        return no_hosts(hosts)

    def prove(self, progress: Progress) -> list[Check]:
        return []

    def own_interfaces(self) -> tuple[str, ...]:
        return ()

    def explain(self, output: str) -> LabError | None:
        return None

    def check_network(self, lab: Lab) -> None:
        self.said.append("check network")

    def prepare(self, lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
        self.said.append("prepare")
        return {}

    def vagrant_data(self, lab: Lab) -> dict[str, Any]:
        self.said.append("data")
        return self.data

    def split(self, nodes: Sequence[Node]) -> Sequence[tuple[Mapping[str, str], Sequence[Node]]]:
        return in_one_run(nodes)

    def read_states(self, folder: Workdir) -> dict[str, str]:
        return dict(self.states)

    def start(self, folder: Workdir, nodes: Sequence[str]) -> None:
        self.said.append(f"start {' '.join(nodes)}")
        self.states |= dict.fromkeys(nodes, "running")

    def halt(self, lab: Lab, nodes: Sequence[str]) -> None:
        self.said.append(f"halt {' '.join(nodes)}")
        self.states |= dict.fromkeys(nodes, "stopped")

    def read_console(self, folder: Workdir, node: str) -> str:
        return self.consoles.get(node, "")

    def crowd_hosts(self, lab: Lab, *, processes: int, progress: Progress) -> Sequence[CrowdHost]:
        return no_crowd_hosts(lab, processes=processes, progress=progress)

    def bundle(self, lab: Lab) -> BundleParts:
        return BundleParts({node.name: {} for node in lab.topology.nodes}, volumes=False)

    def clean(self, folder: Workdir) -> None:
        self.said.append("clean")
        self.states.clear()
