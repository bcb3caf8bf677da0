"""Nodes as libvirt virtual machines: with KVM if it works, else with software emulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.host.needs import Need
from labctl.images.store import ImageStore
from labctl.providers.base import Ability, PassingError, Rank, in_one_run, no_crowd_hosts, no_hosts
from labctl.providers.libvirt import daemon, domains, network, prove
from labctl.providers.libvirt import machines as machines_
from labctl.providers.libvirt.bundle import bundle
from labctl.providers.libvirt.needs import LIBVIRT
from labctl.providers.vm.accel import find_accelerator
from labctl.providers.vm.store import DiskStore
from labctl.topology.spec import ProviderName

NO_STATE = "The machine is in the '' state."


@dataclass(frozen=True)
class LibvirtProvider:
    """See `labctl.providers.base.Provider`."""

    name: ProviderName = ProviderName.LIBVIRT
    machines: str = "virtual machines"
    own_kernel: bool = True
    writes_hosts: bool = False
    network_first: bool = True
    parallel_up: bool = True
    spreads: bool = False
    lacks: Mapping[Ability, str] = field(default_factory=dict)
    # Under emulation a single node takes half a minute; the lab's patience scales this.
    ssh_seconds: float = 40.0
    needs: tuple[Need, ...] = LIBVIRT
    images: ImageStore = field(default_factory=lambda: DiskStore(ProviderName.LIBVIRT))

    find_problem = staticmethod(daemon.find_problem)
    ensure = staticmethod(daemon.ensure_daemon)
    check = staticmethod(daemon.check_libvirt)
    check_hosts = staticmethod(no_hosts)
    prove = staticmethod(prove.prove_machines)
    check_network = staticmethod(network.check_free)
    prepare = staticmethod(machines_.prepare)
    vagrant_data = staticmethod(machines_.vagrant_data)
    split = staticmethod(in_one_run)
    read_states = staticmethod(domains.read_states)
    start = staticmethod(machines_.start)
    halt = staticmethod(machines_.halt)
    read_console = staticmethod(machines_.read_console)
    crowd_hosts = staticmethod(no_crowd_hosts)
    bundle = staticmethod(bundle)
    clean = staticmethod(machines_.clean)

    def rank(self) -> tuple[Rank, str]:
        """The rank depends on the accelerator."""
        accelerator = find_accelerator()
        rank = Rank.KVM if accelerator.kvm else Rank.EMULATION
        return rank, f"virtual machines with {accelerator}, because {accelerator.why}"

    def own_interfaces(self) -> tuple[str, ...]:
        return ()

    def explain(self, output: str) -> LabError | None:
        # Seen on a busy host: libvirt names no state at all for a guest that boots, and Vagrant
        # then removes it.
        if NO_STATE not in " ".join(output.split()):
            return None
        return PassingError(
            "libvirt did not say how a booting machine is, so Vagrant gave it up.",
            hint="Run the same command again to continue.",
        )
