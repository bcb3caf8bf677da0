"""A lab's libvirt machines.

Vagrant creates and starts the domains.  This module does what Vagrant cannot: it finds which
domains belong to this lab and what they were made from, and starts and stops all at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.core import process
from labctl.core.privilege import Privilege, find_privilege
from labctl.core.waiting import wait_until
from labctl.providers.libvirt import volumes
from labctl.providers.libvirt.domains import (
    Domain,
    describe,
    domain_name,
    prefix,
    read_domains,
    read_states,
)
from labctl.providers.libvirt.network import ensure_network, mac_of, network_name, remove_network
from labctl.providers.libvirt.virsh import ask, virsh
from labctl.providers.ownership import owned_by_other
from labctl.providers.vm.accel import find_accelerator
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.workdir import Workdir

STOP_SECONDS = 20.0
"""Eight Prosodys need 6 s to end cleanly."""


def vagrant_data(lab: Lab) -> dict[str, Any]:
    """What the Vagrantfile needs in addition to the topology."""
    accelerator, pool = find_accelerator(), volumes.pool_path()
    return {
        "patience": accelerator.patience,
        "accelerator": str(accelerator),
        "why": accelerator.why,
        "driver": "kvm" if accelerator.kvm else "qemu",
        "cpu_mode": "host-passthrough" if accelerator.kvm else "custom",
        "cpu_model": "" if accelerator.kvm else "qemu64",
        "prefix": prefix(lab.folder.lab),
        "network": network_name(lab.folder.lab),
        "cidr": str(lab.topology.network),
        "pool": volumes.POOL,
        "nodes": {
            node.name: {
                "mac": mac_of(lab.folder, node.name),
                "cpus": accelerator.cpus(node.size.cpus, machines=len(lab.topology.nodes)),
                "seed": str(pool / volumes.seed_name(lab.folder.lab, node.name)),
                "console": str(lab.folder.console(node.name).resolve()),
                "description": _description(lab.folder, node),
            }
            for node in lab.topology.nodes
        },
    }


def prepare(lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
    """Prepare libvirt for Vagrant; returns the nodes whose domain was removed, and why.

    `known` are the UUIDs of domains that Vagrant remembers, by node.  A domain that Vagrant does
    not know was left by a killed `up`, and its content cannot be trusted.
    """
    domains = read_domains()
    check_names(lab.folder, lab.topology.nodes, domains)
    removed: dict[str, str] = {}
    for domain in own(lab.folder, domains):
        node = domain.name.removeprefix(prefix(lab.folder.lab))
        why = "an earlier run was interrupted" if known.get(node) != domain.uuid else None
        if why := why or outdated(lab, node, domain):
            remove(domain)
            removed[node] = why
    volumes.ensure_pool()
    ensure_network(lab)
    stay = {domain.name for domain in domains} - {domain_name(lab.folder.lab, n) for n in removed}
    missing = [
        entry for entry in lab.topology.nodes if domain_name(lab.folder.lab, entry.name) not in stay
    ]
    if not missing:
        return removed
    used = {Path(file).name for domain in domains for file in _backing(domain)}
    for image in sorted({entry.image for entry in missing}):
        volumes.ensure_base(image, used=used)
    for entry in missing:
        # The disk of a machine that was never finished would make Vagrant fail.
        volumes.remove_volumes({f"{domain_name(lab.folder.lab, entry.name)}.img"})
        with tempfile.TemporaryDirectory(prefix="labctl-seed-") as scratch:
            volumes.save_seed(lab.folder, entry, scratch=Path(scratch))
        _make_console(lab.folder.console(entry.name))
    return removed


def _make_console(file: Path) -> None:
    """Make an empty file that this user owns; libvirt 11's log daemon, as root, appends to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.touch()


def outdated(lab: Lab, node: str, domain: Domain) -> str | None:
    """Why a domain no longer fits the topology; None if it fits."""
    if node not in {entry.name for entry in lab.topology.nodes}:
        return "the lab no longer has this node"
    entry = lab.topology.node(node)
    cpus = find_accelerator().cpus(entry.size.cpus, machines=len(lab.topology.nodes))
    wanted = {
        "image": (entry.image, domain.image),
        "keys": (volumes.seed_digest(lab.folder, entry), domain.seed),
        "memory": (entry.size.memory_mib, domain.memory_mib),
        "MAC": (mac_of(lab.folder, node), domain.mac),
    }
    for what, (want, have) in wanted.items():
        if want != have:
            return f"its {what} changed"
    # Emulated machines share the cores; one that has more keeps them until it is made again.
    return "its CPUs changed" if cpus > domain.cpus else None


def check_names(workdir: Workdir, nodes: Iterable[Node], domains: Iterable[Domain]) -> None:
    """Refuse to continue if a domain with a node's name is not this lab's (LabError)."""
    owners = {domain.name: domain.owner for domain in domains}
    here = str(workdir.path.resolve())
    for node in nodes:
        name = domain_name(workdir.lab, node.name)
        if name in owners and owners[name] != here:
            raise owned_by_other(f"The virtual machine '{name}'", owners[name])


def start(workdir: Workdir, nodes: Sequence[str]) -> None:
    """Start nodes that were created before."""
    for node in nodes:
        virsh("start", domain_name(workdir.lab, node))


def halt(lab: Lab, nodes: Sequence[str]) -> None:
    """Press the power button of all nodes; those that still run after a while lose their power."""
    for node in nodes:
        virsh("shutdown", domain_name(lab.folder.lab, node))

    def down() -> bool:
        states = read_states(lab.folder)
        return all(states.get(node) == "stopped" for node in nodes)

    if not wait_until(down, deadline=lab.patience.deadline(STOP_SECONDS), interval=0.5):
        for node, state in read_states(lab.folder).items():
            if node in nodes and state != "stopped":
                virsh("destroy", domain_name(lab.folder.lab, node))


def clean(workdir: Workdir) -> None:
    """Remove everything of the lab that libvirt still has: machines, volumes, the network."""
    for domain in own(workdir, read_domains()):
        remove(domain)
    remove_network(workdir)


def own(workdir: Workdir, domains: Iterable[Domain]) -> list[Domain]:
    """The domains that belong to this lab, by name and folder."""
    here = str(workdir.path.resolve())
    return [d for d in domains if d.owner == here and d.name.startswith(prefix(workdir.lab))]


def remove(domain: Domain) -> None:
    """Remove a domain, running or not, with its disk and its seed."""
    ask("destroy", domain.name)
    virsh("undefine", domain.name, "--managed-save", "--snapshots-metadata", "--nvram")
    volumes.remove_volumes({Path(file).name for file in domain.files})


def read_console(workdir: Workdir, node: str) -> str:
    """The text of a node's console, or a note that only root may read it; empty if there is none.

    libvirt 9 (Debian 12) replaces the file by one of root's; later versions do so every 2 MiB.
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
    """The backing files of a domain's disks."""
    found = []
    for file in domain.files:
        result = ask("vol-dumpxml", file)
        found += [
            part.partition("</path>")[0]
            for part in result.output.split("<backingStore>")[1:]
            for part in part.split("<path>")[1:2]
        ]
    return found
