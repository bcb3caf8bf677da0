"""VirtualBox's machines of a lab: whose they are, whether they fit, stopping and starting.

Vagrant makes them, as linked clones of one master per image; here is what Vagrant cannot say or
do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from labctl.model import Node, Topology
from labctl.ownership import foreign
from labctl.virtualbox import network
from labctl.virtualbox.inventory import (
    LAB_ADAPTER,
    Machine,
    lab_machines,
    list_names,
    machine_name,
    owns,
    read_machine,
)
from labctl.virtualbox.manage import ask, vboxmanage
from labctl.virtualbox.removal import (
    INTERRUPTED,
    ONLINE,
    power_off,
    remove_half_made,
    remove_machine,
)
from labctl.virtualbox.seeds import ensure_seeds, seed_paths, seeds_folder
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

STOP_SECONDS = 30.0
"""How long nodes may take to end in order; eight Prosodys need 6 s."""

CONSOLE_LINES = 40


def vagrant_data(workdir: Workdir, topology: Topology) -> dict[str, Any]:
    """What the Vagrantfile must know beside the topology; call it after `prepare`.

    Shape: {"hostonly", "netmask", "nodes": {name: {"mac", "seed", "cpus", "console"}}}.
    """
    macs = lab_macs(workdir, topology)
    seeds = seed_paths(workdir, topology, macs=macs)
    return {
        "hostonly": network.interface_name(workdir),
        "netmask": str(topology.network.netmask),
        "nodes": {
            node.name: {
                "mac": macs[node.name],
                "seed": str(seeds[node.name]),
                "cpus": _cpus(node),
                "console": str(workdir.console(node.name).resolve()),
            }
            for node in topology.nodes
        },
    }


def lab_macs(workdir: Workdir, topology: Topology) -> dict[str, str]:
    """The MAC address of each node in the lab's network, as 12 hexadecimal digits.

    It stays the same for a node of a lab's folder: the seed of the node matches it.
    """
    macs: dict[str, str] = {}
    for node in topology.nodes:
        attempt = 0
        while node.name not in macs:
            text = f"{workdir.path.resolve()}\0{node.name}\0{attempt}"
            mac = f"080027{sha256(text.encode()).hexdigest()[:6]}".upper()
            if mac not in macs.values():
                macs[node.name] = mac
            attempt += 1
    return macs


def read_states(workdir: Workdir) -> dict[str, str]:
    """The state of each machine of the lab in Vagrant's words, by node."""
    return {machine.node: machine.state for machine in lab_machines(workdir)}


def check_network(workdir: Workdir, topology: Topology) -> str | None:
    """Whether the lab can have its network; see `labctl.virtualbox.network.check_free`."""
    return network.check_free(workdir, topology)


def prepare(workdir: Workdir, topology: Topology, known: Mapping[str, str]) -> dict[str, str]:
    """Remove what does not fit the topology any more and make the host-only interface.

    `known` are the machine ids that Vagrant remembers.  Returns why each removed node's machine
    was removed.  One that Vagrant does not know, or that has not got all its settings, was left
    by a killed call.
    """
    check_names(workdir, topology.nodes, known)
    removed = remove_half_made(known)
    macs, kept = lab_macs(workdir, topology), []
    seeds = seed_paths(workdir, topology, macs=macs)
    for machine in lab_machines(workdir):
        interrupted = known.get(machine.node) != machine.id
        why = INTERRUPTED if interrupted else None
        mac, seed = macs.get(machine.node, ""), str(seeds.get(machine.node, ""))
        if why := why or outdated(machine, topology, mac=mac, seed=seed):
            removed[machine.node] = why
            remove_machine(machine.id)
        else:
            kept.append(machine)
    ensure_seeds(workdir, topology, macs=macs)
    interface = network.ensure_interface(workdir, topology)
    for machine in kept:
        if interface not in machine.hostonly and machine.state == "stopped":
            # After this machine's restart VirtualBox's interfaces are numbered anew.
            vboxmanage("modifyvm", machine.id, f"--hostonlyadapter{LAB_ADAPTER}", interface)
    workdir.logs.mkdir(parents=True, exist_ok=True)
    return removed


def outdated(machine: Machine, topology: Topology, *, mac: str, seed: str) -> str | None:
    """Why a machine must be made anew; None when it is as the topology wants it."""
    node = next((node for node in topology.nodes if node.name == machine.node), None)
    if node is None:
        return "the lab has no such node any more"
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
    """Remove whatever of the lab VirtualBox still has; the images' masters stay."""
    files = workdir.vagrant.glob("machines/*/virtualbox/id")
    known = {file.parent.parent.name: file.read_text(encoding="utf-8") for file in files}
    for machine in lab_machines(workdir):
        remove_machine(machine.id)
    remove_half_made(known)
    network.remove_interface(workdir)
    shutil.rmtree(seeds_folder(workdir), ignore_errors=True)


def start(workdir: Workdir, names: Sequence[str]) -> None:
    """Start nodes that were made before, without a window."""
    for name in names:
        vboxmanage("startvm", machine_name(workdir.lab, name), "--type", "headless")


def halt(workdir: Workdir, names: Sequence[str]) -> None:
    """Stop nodes together, each in order; after 30 s those that still run lose their power."""
    wanted = {machine_name(workdir.lab, name) for name in names}
    running = {one.id: one for one in lab_machines(workdir) if one.name in wanted}
    for uuid in running:
        # One that ends by itself meanwhile refuses, and that is as well.
        ask("controlvm", uuid, "acpipowerbutton")

    def all_off() -> bool:
        machines = [read_machine(uuid) for uuid in running]
        return not any(machine and machine.state in ONLINE for machine in machines)

    if not wait_until(all_off, deadline=Deadline.after(STOP_SECONDS), interval=0.5):
        for uuid in running:
            power_off(uuid)


def read_console(workdir: Workdir, node: str) -> str:
    """The last lines that a node wrote to its serial console; empty before it was started."""
    try:
        text = workdir.console(node).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-CONSOLE_LINES:])


def check_names(workdir: Workdir, nodes: Iterable[Node], known: Mapping[str, str]) -> None:
    """Refuse to go on when a machine with a node's name is not this lab's (LabError)."""
    ids = {name: uuid for uuid, name in list_names().items()}
    for node in nodes:
        name = machine_name(workdir.lab, node.name)
        machine = read_machine(ids[name]) if name in ids else None
        if machine is None or owns(workdir, machine) or machine.id in known.values():
            continue
        raise foreign(f"VirtualBox's machine '{name}'", machine.workdir)


def _cpus(node: Node) -> int:
    return min(node.size.cpus, os.cpu_count() or 1)
