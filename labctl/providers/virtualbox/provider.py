"""Nodes as virtual machines of VirtualBox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.host.needs import Need
from labctl.images.store import ImageStore
from labctl.providers.base import Ability, Rank, in_one_run, no_crowd_hosts, no_hosts
from labctl.providers.virtualbox import host, network
from labctl.providers.virtualbox import machines as machines_
from labctl.providers.virtualbox.bundle import bundle
from labctl.providers.virtualbox.claims import load_claims
from labctl.providers.virtualbox.messages import find_cause
from labctl.providers.virtualbox.needs import VIRTUALBOX
from labctl.providers.vm.store import DiskStore
from labctl.topology.spec import ProviderName


@dataclass(frozen=True)
class VirtualBoxProvider:
    """See `labctl.providers.base.Provider`."""

    name: ProviderName = ProviderName.VIRTUALBOX
    machines: str = "virtual machines"
    own_kernel: bool = True
    writes_hosts: bool = False
    # A host-only interface has its address only while a machine uses the interface.
    network_first: bool = False
    # Vagrant starts VirtualBox's machines one after another.
    parallel_up: bool = False
    spreads: bool = False
    lacks: Mapping[Ability, str] = field(default_factory=dict)
    ssh_seconds: float = 60.0
    needs: tuple[Need, ...] = VIRTUALBOX
    images: ImageStore = field(default_factory=lambda: DiskStore(ProviderName.VIRTUALBOX))

    find_problem = staticmethod(host.find_problem)
    check = staticmethod(host.check_virtualbox)
    check_hosts = staticmethod(no_hosts)
    prove = staticmethod(host.prove_nothing)
    check_network = staticmethod(network.check_free)
    prepare = staticmethod(machines_.prepare)
    vagrant_data = staticmethod(machines_.vagrant_data)
    split = staticmethod(in_one_run)
    read_states = staticmethod(machines_.read_states)
    start = staticmethod(machines_.start)
    halt = staticmethod(machines_.halt)
    read_console = staticmethod(machines_.read_console)
    crowd_hosts = staticmethod(no_crowd_hosts)
    bundle = staticmethod(bundle)
    clean = staticmethod(machines_.clean)

    def rank(self) -> tuple[Rank, str]:
        return Rank.OTHER_HYPERVISOR, "virtual machines with VirtualBox"

    def ensure(self, progress: Progress) -> None:
        """Nothing to do: VirtualBox has no daemon."""

    def own_interfaces(self) -> Collection[str]:
        """Host-only interfaces are named vboxnet0 and so on; claims show which belong to labs."""
        return load_claims().keys()

    def explain(self, output: str) -> LabError | None:
        cause = find_cause(output) if "VBoxManage" in output else None
        return LabError(cause.message, hint=cause.hint) if cause else None
