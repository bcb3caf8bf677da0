"""libvirt as the home of nodes; the functions of its row in `labctl.providers`.

Vagrant creates and starts the domains; here is what it cannot say or do: which domains are this
lab's, what they were made from, and how all of them start and stop at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl import process
from labctl.libvirt import volumes
from labctl.libvirt.domains import Domain, describe, domain_name, prefix, read_domains, read_states
from labctl.libvirt.network import ensure_network, mac_of, network_name, remove_network
from labctl.libvirt.virsh import ask, virsh
from labctl.model import Node, Topology
from labctl.ownership import foreign
from labctl.privilege import Privilege, find_privilege
from labctl.vm.accel import find_accelerator
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

STOP_SECONDS = 20.0
"""Eight Prosodys need 6 s to end in order."""


def vagrant_data(workdir: Workdir, topology: Topology) -> dict[str, Any]:
    """What the Vagrantfile must know beside the topology."""
    accelerator, pool = find_accelerator(), volumes.pool_path()
    return {
        "patience": accelerator.patience,
        "accelerator": str(accelerator),
        "why": accelerator.why,
        "driver": "kvm" if accelerator.kvm else "qemu",
        "cpu_mode": "host-passthrough" if accelerator.kvm else "custom",
        "cpu_model": "" if accelerator.kvm else "qemu64",
        "prefix": prefix(workdir.lab),
        "network": network_name(workdir.lab),
        "cidr": str(topology.network),
        "pool": volumes.POOL,
        "nodes": {
            node.name: {
                "mac": mac_of(workdir, node.name),
                "cpus": accelerator.cpus(node.size.cpus, machines=len(topology.nodes)),
                "seed": str(pool / volumes.seed_name(workdir.lab, node.name)),
                "console": str(workdir.console(node.name).resolve()),
                "description": _description(workdir, node),
            }
            for node in topology.nodes
        },
    }


def prepare(workdir: Workdir, topology: Topology, known: Mapping[str, str]) -> dict[str, str]:
    """Make libvirt ready for Vagrant; the nodes whose domain was removed, and why.

    `known` are the domains' UUIDs that Vagrant remembers, by node.  A domain that Vagrant does
    not know comes from an `up` that was killed: nothing can be relied on in it.
    """
    domains = read_domains()
    check_names(workdir, topology.nodes, domains)
    removed: dict[str, str] = {}
    for domain in own(workdir, domains):
        node = domain.name.removeprefix(prefix(workdir.lab))
        why = "an earlier run was interrupted" if known.get(node) != domain.uuid else None
        if why := why or outdated(workdir, topology, node, domain):
            remove(domain)
            removed[node] = why
    volumes.ensure_pool()
    ensure_network(workdir, topology)
    stay = {domain.name for domain in domains} - {domain_name(workdir.lab, n) for n in removed}
    missing = [
        entry for entry in topology.nodes if domain_name(workdir.lab, entry.name) not in stay
    ]
    if not missing:
        return removed
    used = {Path(file).name for domain in domains for file in _backing(domain)}
    for image in sorted({entry.image for entry in missing}):
        volumes.ensure_base(image, used=used)
    for entry in missing:
        # A disk of a machine that was never finished: Vagrant would stumble over it.
        volumes.remove_volumes({f"{domain_name(workdir.lab, entry.name)}.img"})
        with tempfile.TemporaryDirectory(prefix="labctl-seed-") as scratch:
            volumes.save_seed(workdir, entry, scratch=Path(scratch))
        _make_console(workdir.console(entry.name))
    return removed


def _make_console(file: Path) -> None:
    """An empty file of this user's; libvirt 11's log daemon, which is root, goes on with it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch()


def outdated(workdir: Workdir, topology: Topology, node: str, domain: Domain) -> str | None:
    """Why a domain no longer is what the topology wants; None when it is."""
    if node not in {entry.name for entry in topology.nodes}:
        return "the lab has no such node any more"
    entry = topology.node(node)
    cpus = find_accelerator().cpus(entry.size.cpus, machines=len(topology.nodes))
    wanted = {
        "image": (entry.image, domain.image),
        "keys": (volumes.seed_digest(workdir, entry), domain.seed),
        "memory": (entry.size.memory_mib, domain.memory_mib),
        "MAC": (mac_of(workdir, node), domain.mac),
    }
    for what, (want, have) in wanted.items():
        if want != have:
            return f"its {what} changed"
    # Emulated machines share the cores: one that has more keeps them until it is made anew.
    return "its CPUs changed" if cpus > domain.cpus else None


def check_names(workdir: Workdir, nodes: Iterable[Node], domains: Iterable[Domain]) -> None:
    """Refuse to go on when a domain with a node's name is not this lab's (LabError)."""
    owners = {domain.name: domain.owner for domain in domains}
    here = str(workdir.path.resolve())
    for node in nodes:
        name = domain_name(workdir.lab, node.name)
        if name in owners and owners[name] != here:
            raise foreign(f"The virtual machine '{name}'", owners[name])


def start(workdir: Workdir, nodes: Sequence[str]) -> None:
    """Start nodes that were made before."""
    for node in nodes:
        virsh("start", domain_name(workdir.lab, node))


def halt(workdir: Workdir, nodes: Sequence[str]) -> None:
    """Press the power button of all; what still runs after a while is cut off."""
    for node in nodes:
        virsh("shutdown", domain_name(workdir.lab, node))

    def down() -> bool:
        states = read_states(workdir)
        return all(states.get(node) == "stopped" for node in nodes)

    if not wait_until(down, deadline=Deadline.after(STOP_SECONDS), interval=0.5):
        for node, state in read_states(workdir).items():
            if node in nodes and state != "stopped":
                virsh("destroy", domain_name(workdir.lab, node))


def clean(workdir: Workdir) -> None:
    """Remove whatever of the lab libvirt still has: machines, their volumes, the network."""
    for domain in own(workdir, read_domains()):
        remove(domain)
    remove_network(workdir)


def own(workdir: Workdir, domains: Iterable[Domain]) -> list[Domain]:
    """The domains that are this lab's: by name and folder."""
    here = str(workdir.path.resolve())
    return [d for d in domains if d.owner == here and d.name.startswith(prefix(workdir.lab))]


def remove(domain: Domain) -> None:
    """Remove a domain, running or not, with its disk and its seed."""
    ask("destroy", domain.name)
    virsh("undefine", domain.name, "--managed-save", "--snapshots-metadata", "--nvram")
    volumes.remove_volumes({Path(file).name for file in domain.files})


def read_console(workdir: Workdir, node: str) -> str:
    """What a node's console said, or that only root may know; empty where there is none.

    libvirt 9 (Debian 12) makes the file anew, for root; later ones do at every 2 MiB.
    """
    file = workdir.console(node)
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except PermissionError:
        if find_privilege() is not Privilege.SUDO:
            return f"(only root may read '{file}')"
    result = process.run(["sudo", "-n", "cat", file], check=False, timeout=20)
    return result.output if result.code == 0 else ""


def _description(workdir: Workdir, node: Node) -> str:
    digest = volumes.seed_digest(workdir, node)
    return describe(image=node.image, seed=digest, owner=workdir.path)


def _backing(domain: Domain) -> list[str]:
    """The files that a domain's disks stand on."""
    found = []
    for file in domain.files:
        result = ask("vol-dumpxml", file)
        found += [
            part.partition("</path>")[0]
            for part in result.output.split("<backingStore>")[1:]
            for part in part.split("<path>")[1:2]
        ]
    return found
