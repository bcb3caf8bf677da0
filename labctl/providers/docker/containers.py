"""A lab's containers on one machine.

Vagrant creates and starts the containers.  This module does what Vagrant cannot: it finds which
containers belong to this lab and what they were made from, and starts and stops all at once.
`labctl.providers.docker.spread` does the same for a lab on several machines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labctl.core.files import write_file
from labctl.core.process import run
from labctl.providers.docker.command import (
    LAB_LABEL,
    NODE_LABEL,
    WORKDIR_LABEL,
    docker,
    environ_of,
    lab_filters,
)
from labctl.providers.docker.network import ensure_network, network_name, remove_network
from labctl.providers.ownership import owned_by_other
from labctl.topology.hosts import HERE
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.workdir import Workdir

NODE_OPTIONS = (
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"),
    *("--security-opt", "seccomp=unconfined", "--cgroupns=host"),
    *("--security-opt", "apparmor=unconfined", "--security-opt", "label=disable"),
    *("--security-opt", "no-new-privileges=false", "--userns=host"),
    *("-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run", "--tmpfs", "/tmp"),
    *("-e", "container=docker"),
)
"""systemd as a container's first process, without --privileged.

Docker's AppArmor profile and SELinux's labels refuse the mounts that systemd makes for units with
ProtectSystem or PrivateTmp, so these end with 226/NAMESPACE.  The nodes' sudo needs new privileges,
and user namespaces (userns-remap) would take SYS_ADMIN's meaning.  Engines without these things
accept the options.
"""

STATES = {"running": "running", "exited": "stopped", "created": "stopped", "dead": "stopped"}
"""Docker's container states -> Vagrant's words; other states stay as they are."""


STOP_SECONDS = 20
"""As in the Vagrantfile: eight Prosodys need 6 s to end cleanly."""

CONSOLE_SECONDS = 20.0

RESOLV_CONF = "# A lab has no name server; /etc/hosts holds its names.\nnameserver 127.0.0.1\n"
"""For the nodes.  Nothing listens there, so a query fails at once.  Docker's own forwarder
would not answer if this machine has no name server.  glibc asks for an IPv6 address even of a name
in the hosts file, and would then wait for 10 s."""


@dataclass(frozen=True, slots=True)
class Container:
    """What one of the lab's containers was made from.  Memory is in bytes."""

    id: str
    node: str
    state: str
    image: str
    address: str
    memory: int
    nano_cpus: int
    hosts: Mapping[str, str]


def container_name(lab: str, node: str) -> str:
    return f"labctl-{lab}-{node}"


def read_states(workdir: Workdir, *, at: str = HERE) -> dict[str, str]:
    """The state of each container of the lab on a machine, by node."""
    text = docker("ps", "-a", *lab_filters(workdir), "--format", _STATE_FORMAT, at=at)
    pairs = (line.split("\t") for line in text.splitlines())
    return {node: STATES.get(state, state) for node, state in pairs if node}


def read_containers(workdir: Workdir, *, at: str = HERE) -> tuple[Container, ...]:
    """The lab's containers on a machine, with what they were made from."""
    ids = docker("ps", "-a", "-q", "--no-trunc", *lab_filters(workdir), at=at).split()
    if not ids:
        return ()
    return parse_containers(docker("container", "inspect", *ids, at=at))


def parse_containers(text: str) -> tuple[Container, ...]:
    """Containers from `docker container inspect`."""
    return tuple(_container(entry) for entry in json.loads(text))


def outdated(container: Container, topology: Topology, *, cpus: int | None = None) -> str | None:
    """Why a container no longer fits the topology; None if it fits.

    `cpus` is how many its machine has; None stands for this machine.  Names of other nodes are not
    compared, so a lab that grows keeps its running nodes.
    """
    if container.node not in {node.name for node in topology.nodes}:
        return "the lab no longer has this node"
    node = topology.node(container.node)
    domain_names = {
        name: str(address) for name, address in topology.hosts.items() if _below(name, topology)
    }
    wanted = _wanted(node, cpus or os.cpu_count() or 1)
    found = (container.image, container.address, container.memory, container.nano_cpus)
    for what, old, new in zip(("image", "address", "memory", "CPUs"), found, wanted, strict=True):
        if old != new:
            return f"its {what} changed"
    if any(container.hosts.get(name) != address for name, address in domain_names.items()):
        return "the lab's domain changed"
    return None


def prepare(lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
    """Prepare the engine for Vagrant; returns the nodes whose container was removed, and why.

    `known` are the container ids that Vagrant remembers, by node.  A container that Vagrant does
    not know was left by a killed `up`, or Vagrant's state was removed with the lab's folder.  In
    both cases its content cannot be trusted.
    """
    check_names(lab.folder, lab.topology.nodes)
    removed: dict[str, str] = {}
    ids = []
    for container in read_containers(lab.folder):
        if why := unknown(container, known) or outdated(container, lab.topology):
            removed[container.node] = why
            ids.append(container.id)
    remove_containers(ids)
    ensure_network(lab)
    write_file(lab.folder.path / "resolv.conf", RESOLV_CONF)
    return removed


def unknown(container: Container, known: Mapping[str, str]) -> str | None:
    """Why a container that Vagrant does not know must go; None if Vagrant knows it."""
    return "an earlier run was interrupted" if known.get(container.node) != container.id else None


def clean(workdir: Workdir) -> None:
    """Remove everything of the lab that the engine still has."""
    remove_containers(container.id for container in read_containers(workdir))
    remove_network(workdir)


def start(workdir: Workdir, nodes: Iterable[str], *, at: str = HERE) -> None:
    """Start nodes that were created before."""
    docker("start", *(container_name(workdir.lab, node) for node in nodes), at=at)


def halt(workdir: Workdir, nodes: Iterable[str], *, at: str = HERE) -> None:
    """Stop all nodes together and cleanly; after 20 s the engine kills those that still run."""
    names = [container_name(workdir.lab, node) for node in nodes]
    docker("stop", "-t", str(STOP_SECONDS), *names, at=at)


def read_console(workdir: Workdir, node: str, *, at: str = HERE) -> str:
    """The last output of a node's container; empty if there is none.

    While systemd runs, it prints nothing to the container's own output, so its journal is read.
    """
    name = container_name(workdir.lab, node)
    journal = ["docker", "exec", name, "journalctl", "-b", "--no-pager", "-o", "short-monotonic"]
    for command in (["docker", "logs", "--tail", "50", name], [*journal, "-n", "50"]):
        said = run(command, env=environ_of(at), check=False, timeout=CONSOLE_SECONDS)
        text = f"{said.output}{said.errors}" if said.code == 0 else ""
        if text.strip():
            return text
    return ""


def remove_containers(ids: Iterable[str], *, at: str = HERE) -> None:
    """Remove containers, running or not, with their anonymous volumes."""
    if ids := tuple(ids):
        docker("rm", "-f", "-v", *ids, at=at)


def check_names(workdir: Workdir, nodes: Iterable[Node], *, at: str = HERE) -> None:
    """Refuse to continue if a container with a node's name is not this lab's (LabError)."""
    form = f'{{{{.Names}}}}\t{{{{.Label "{WORKDIR_LABEL}"}}}}'
    text = docker("ps", "-a", "--format", form, at=at)
    owners = dict(line.split("\t") for line in text.splitlines())
    here = str(workdir.path.resolve())
    for node in nodes:
        name = container_name(workdir.lab, node.name)
        if name in owners and owners[name] != here:
            raise owned_by_other(f"The container '{name}'", owners[name])


_STATE_FORMAT = f'{{{{.Label "{NODE_LABEL}"}}}}\t{{{{.State}}}}'


def _container(entry: Mapping[str, Any]) -> Container:
    labels, host = entry["Config"]["Labels"], entry["HostConfig"]
    network = entry["NetworkSettings"]["Networks"].get(network_name(labels[LAB_LABEL])) or {}
    config = network.get("IPAMConfig") or {}
    return Container(
        id=entry["Id"],
        node=labels.get(NODE_LABEL, ""),
        state=STATES.get(entry["State"]["Status"], entry["State"]["Status"]),
        image=entry["Config"]["Image"],
        address=config.get("IPv4Address", ""),
        memory=host["Memory"],
        nano_cpus=host["NanoCpus"],
        hosts=dict(line.split(":", 1) for line in host["ExtraHosts"] or ()),
    )


def _wanted(node: Node, most: int) -> tuple[str, str, int, int]:
    # As in the Vagrantfile: Docker refuses more CPUs than the machine has.
    cpus = min(node.size.cpus, most)
    return node.image, str(node.address), node.size.memory_mib * 1024**2, cpus * 10**9


def _below(name: str, topology: Topology) -> bool:
    return name == topology.domain or name.endswith(f".{topology.domain}")
