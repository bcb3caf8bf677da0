"""What has to be done differently for each provider: one row each, of functions.

What is known of a provider without looking stands in `labctl.capabilities`.  A new provider is a
row there and one here; everything else treats all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl import hostneeds
from labctl.capabilities import Rank
from labctl.checks import Check
from labctl.docker import checks as docker_checks
from labctl.docker import containers, engine
from labctl.docker import network as docker_network
from labctl.docker.images import DOCKER_IMAGES
from labctl.errors import LabError
from labctl.hostneeds import Need
from labctl.imagestore import ImageStore
from labctl.libvirt import daemon, domains
from labctl.libvirt import machines as libvirt_machines
from labctl.libvirt import network as libvirt_network
from labctl.model import Provider, Topology
from labctl.progress import Progress
from labctl.virtualbox import host as virtualbox_host
from labctl.virtualbox import machines as virtualbox_machines
from labctl.vm.accel import find_accelerator
from labctl.vm.store import DiskStore
from labctl.workdir import Workdir


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """One row of the table.

    For a machine:

    - `problem`: why the provider cannot be used here, neither as it is nor after `needs` and
      `ensure`; None when it can.  Asks, and changes nothing.
    - `rank`: how good a home for labs it is here, and why, in words: for 'auto'.
    - `needs`: what must be installed before anything else here is called.
    - `ensure`: start what answers for the provider (an engine, a daemon) where it does not run.
    - `checks`: what doctor asks about the provider; changes nothing.
    - `images`: who makes and keeps its images.

    For a lab, in the order in which `up` asks:

    - `check_network`: whether the lab can have its network, before anything is built.
    - `prepare`: make the host ready before Vagrant starts anything; it gets the machine ids that
      Vagrant remembers, by node, and answers which nodes it removed, and why.
    - `vagrant_data`: what the Vagrantfile must know beside the topology, as plain data for
      machines.json; `patience` in it is the factor of `labctl.waiting` (1.0 where it is missing),
      `accelerator` says in words how the machines' processors run ('software emulation').
    - `states`: the nodes' states in Vagrant's words, faster than `vagrant status`; a node that
      is not there may be left out.
    - `start`, `halt`: start and stop nodes that Vagrant has made (it would stop them one after
      another, and ask docker 170 times to start four).
    - `ssh_seconds`: how long a started node may take to greet by ssh on a machine that is not
      slow; the lab's patience scales it.
    - `console`: what a node's console or container log said last; empty where there is none.
    - `clean`: remove what is left of a lab, machines and network.

    All of them raise LabError.
    """

    provider: Provider
    problem: Callable[[], str | None]
    rank: Callable[[], tuple[Rank, str]]
    needs: Sequence[Need]
    ensure: Callable[[Progress], object]
    checks: Callable[[], list[Check]]
    images: ImageStore
    check_network: Callable[[Workdir, Topology], object]
    prepare: Callable[[Workdir, Topology, Mapping[str, str]], dict[str, str]]
    vagrant_data: Callable[[Workdir, Topology], dict[str, Any]]
    states: Callable[[Workdir], dict[str, str]]
    start: Callable[[Workdir, Sequence[str]], None]
    halt: Callable[[Workdir, Sequence[str]], None]
    ssh_seconds: float
    console: Callable[[Workdir, str], str]
    clean: Callable[[Workdir], None]


def rank_libvirt() -> tuple[Rank, str]:
    """Virtual machines are as good as what runs them."""
    accelerator = find_accelerator()
    rank = Rank.KVM if accelerator.kvm else Rank.EMULATION
    return rank, f"virtual machines by {accelerator}, because {accelerator.why}"


TABLE: Mapping[Provider, ProviderFacts] = {
    Provider.DOCKER: ProviderFacts(
        provider=Provider.DOCKER,
        problem=engine.find_problem,
        rank=lambda: (Rank.CONTAINERS, "containers start at once and need no virtualisation"),
        needs=hostneeds.DOCKER,
        ensure=engine.ensure_engine,
        checks=docker_checks.check_docker,
        images=DOCKER_IMAGES,
        check_network=docker_network.check_free,
        prepare=containers.prepare,
        vagrant_data=lambda workdir, topology: {},
        states=containers.read_states,
        start=containers.start,
        halt=containers.halt,
        ssh_seconds=30.0,
        console=containers.read_console,
        clean=containers.clean,
    ),
    Provider.LIBVIRT: ProviderFacts(
        provider=Provider.LIBVIRT,
        problem=daemon.find_problem,
        rank=rank_libvirt,
        needs=hostneeds.LIBVIRT,
        ensure=daemon.ensure_daemon,
        checks=daemon.check_libvirt,
        images=DiskStore(Provider.LIBVIRT),
        check_network=libvirt_network.check_free,
        prepare=libvirt_machines.prepare,
        vagrant_data=libvirt_machines.vagrant_data,
        states=domains.read_states,
        start=libvirt_machines.start,
        halt=libvirt_machines.halt,
        # Under emulation half a minute, alone; the lab's patience scales it.
        ssh_seconds=40.0,
        console=libvirt_machines.read_console,
        clean=libvirt_machines.clean,
    ),
    Provider.VIRTUALBOX: ProviderFacts(
        provider=Provider.VIRTUALBOX,
        problem=virtualbox_host.find_problem,
        rank=lambda: (Rank.OTHER_HYPERVISOR, "virtual machines by VirtualBox"),
        needs=hostneeds.VIRTUALBOX,
        ensure=lambda progress: None,
        checks=virtualbox_host.check_virtualbox,
        images=DiskStore(Provider.VIRTUALBOX),
        check_network=virtualbox_machines.check_network,
        prepare=virtualbox_machines.prepare,
        vagrant_data=virtualbox_machines.vagrant_data,
        states=virtualbox_machines.read_states,
        start=virtualbox_machines.start,
        halt=virtualbox_machines.halt,
        ssh_seconds=60.0,
        console=virtualbox_machines.read_console,
        clean=virtualbox_machines.clean,
    ),
}


def facts_of(provider: Provider) -> ProviderFacts:
    """The row of a provider; LabError for one that labctl cannot run yet."""
    try:
        return TABLE[provider]
    except KeyError:
        ready = ", ".join(f"'{name}'" for name in TABLE)
        raise LabError(
            f"Provider '{provider}' is not supported yet.", hint=f"Available: {ready}."
        ) from None
