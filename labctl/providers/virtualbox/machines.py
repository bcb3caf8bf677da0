"""A lab's VirtualBox machines: who owns them, whether they fit, stopping and starting.

Vagrant creates them, as linked clones of one master per image.  This module does what Vagrant
cannot.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from labctl.core.waiting import wait_until
from labctl.providers.ownership import owned_by_other
from labctl.providers.virtualbox import network
from labctl.providers.virtualbox.inventory import (
    LAB_ADAPTER,
    Machine,
    lab_machines,
    list_names,
    machine_name,
    owns,
    read_machine,
)
from labctl.providers.virtualbox.manage import ask, vboxmanage
from labctl.providers.virtualbox.removal import (
    INTERRUPTED,
    ONLINE,
    power_off,
    remove_half_made,
    remove_machine,
)
from labctl.providers.virtualbox.seeds import ensure_seeds, seed_paths, seeds_folder
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.workdir import Workdir

STOP_SECONDS = 30.0
"""How long nodes may take to end cleanly; eight Prosodys need 6 s."""

CONSOLE_LINES = 40


def vagrant_data(lab: Lab) -> dict[str, Any]:
    """What the Vagrantfile needs in addition to the topology; call it after `prepare`.

    Shape: {"hostonly", "netmask", "nodes": {name: {"mac", "seed", "cpus", "console"}}}.
    """
    macs = lab_macs(lab)
    seeds = seed_paths(lab, macs=macs)
    return {
        "hostonly": network.interface_name(lab.folder),
        "netmask": str(lab.topology.network.netmask),
        "nodes": {
            node.name: {
                "mac": macs[node.name],
                "seed": str(seeds[node.name]),
                "cpus": _cpus(node),
                "console": str(lab.folder.console(node.name).resolve()),
            }
            for node in lab.topology.nodes
        },
    }


def lab_macs(lab: Lab) -> dict[str, str]:
    """The MAC address of each node in the lab's network, as 12 hexadecimal digits.

    It is always the same for a node of a lab's folder, because the node's seed contains it.
    """
    macs: dict[str, str] = {}
    for node in lab.topology.nodes:
        attempt = 0
        while node.name not in macs:
            text = f"{lab.folder.path.resolve()}\0{node.name}\0{attempt}"
            mac = f"080027{sha256(text.encode()).hexdigest()[:6]}".upper()
            if mac not in macs.values():
                macs[node.name] = mac
            attempt += 1
    return macs


def read_states(workdir: Workdir) -> dict[str, str]:
    """The state of each machine of the lab in Vagrant's words, by node."""
    return {machine.node: machine.state for machine in lab_machines(workdir)}


def check_network(lab: Lab) -> str | None:
    """Check that the lab can have its network; see `network.check_free`."""
    return network.check_free(lab)


def prepare(lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
    """Remove machines that no longer fit the topology, and make the host-only interface.

    `known` are the machine ids that Vagrant remembers.  Returns the nodes whose machine was
    removed, and why.  A machine that Vagrant does not know, or that lacks some of its settings,
    was left by a killed call.
    """
    check_names(lab.folder, lab.topology.nodes, known)
    removed = remove_half_made(known)
    macs, kept = lab_macs(lab), []
    seeds = seed_paths(lab, macs=macs)
    for machine in lab_machines(lab.folder):
        interrupted = known.get(machine.node) != machine.id
        why = INTERRUPTED if interrupted else None
        mac, seed = macs.get(machine.node, ""), str(seeds.get(machine.node, ""))
        if why := why or outdated(machine, lab.topology, mac=mac, seed=seed):
            removed[machine.node] = why
            remove_machine(machine.id)
        else:
            kept.append(machine)
    ensure_seeds(lab, macs=macs)
    interface = network.ensure_interface(lab)
    for machine in kept:
        if interface not in machine.hostonly and machine.state == "stopped":
            # When this machine restarts, VirtualBox numbers its interfaces again.
            vboxmanage("modifyvm", machine.id, f"--hostonlyadapter{LAB_ADAPTER}", interface)
    lab.folder.logs.mkdir(parents=True, exist_ok=True)
    return removed


def outdated(machine: Machine, topology: Topology, *, mac: str, seed: str) -> str | None:
    """Why a machine must be made again; None if it fits the topology."""
    node = next((node for node in topology.nodes if node.name == machine.node), None)
    if node is None:
        return "the lab no longer has this node"
    if machine.state in ("gurumeditation", "stuck"):
        return "it has crashed"
    pairs = {
        "image": (machine.image, node.image),
        "memory": (machine.memory_mib, node.size.memory_mib),
        "CPUs": (machine.cpus, _cpus(node)),
        "address": ((machine.address, machine.mac), (str(node.address), mac)),
        "keys": (machine.seed, seed),
    }
    changed = [what for what, (found, wanted) in pairs.items() if found != wanted]
    return f"its {changed[0]} changed" if changed else None


def clean(workdir: Workdir) -> None:
    """Remove everything of the lab that VirtualBox still has; the images' masters stay."""
    files = workdir.vagrant.glob("machines/*/virtualbox/id")
    known = {
        file.parent.parent.name: file.read_text(encoding="utf-8", errors="replace")
        for file in files
        if file.is_file()
    }
    for machine in lab_machines(workdir):
        remove_machine(machine.id)
    remove_half_made(known)
    network.remove_interface(workdir)
    shutil.rmtree(seeds_folder(workdir), ignore_errors=True)


def start(workdir: Workdir, names: Sequence[str]) -> None:
    """Start nodes that were created before, without a window."""
    for name in names:
        vboxmanage("startvm", machine_name(workdir.lab, name), "--type", "headless")


def halt(lab: Lab, names: Sequence[str]) -> None:
    """Stop all nodes together and cleanly; after 30 s those that still run lose their power."""
    wanted = {machine_name(lab.folder.lab, name) for name in names}
    running = {one.id: one for one in lab_machines(lab.folder) if one.name in wanted}
    for uuid in running:
        # A node that ends by itself meanwhile refuses, and that is fine.
        ask("controlvm", uuid, "acpipowerbutton")

    def all_off() -> bool:
        machines = [read_machine(uuid) for uuid in running]
        return not any(machine and machine.state in ONLINE for machine in machines)

    if not wait_until(all_off, deadline=lab.patience.deadline(STOP_SECONDS), interval=0.5):
        for uuid in running:
            power_off(uuid)


def read_console(workdir: Workdir, node: str) -> str:
    """The last lines that a node wrote to its serial console; empty if it never started."""
    try:
        text = workdir.console(node).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-CONSOLE_LINES:])


def check_names(workdir: Workdir, nodes: Iterable[Node], known: Mapping[str, str]) -> None:
    """Refuse to continue if a machine with a node's name is not this lab's (LabError)."""
    ids = {name: uuid for uuid, name in list_names().items()}
    for node in nodes:
        name = machine_name(workdir.lab, node.name)
        machine = read_machine(ids[name]) if name in ids else None
        if machine is None or owns(workdir, machine) or machine.id in known.values():
            continue
        raise owned_by_other(f"VirtualBox's machine '{name}'", machine.workdir)


def _cpus(node: Node) -> int:
    return min(node.size.cpus, os.cpu_count() or 1)
