"""A lab's containers, on one machine or spread over several.

For a lab on one machine, `containers` does everything.  For one on several, each machine's engine
is asked for its own nodes, all engines at the same time, and what belongs to no single machine is
made and removed here: the overlay network and this machine's leg in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.providers.docker import containers
from labctl.providers.docker.command import docker, lab_filters
from labctl.providers.docker.crowdhosts import remove_crowd
from labctl.providers.docker.leg import ensure_leg, remove_leg
from labctl.providers.docker.machines import (
    by_host,
    hosts_in,
    on_all,
    recorded_hosts,
)
from labctl.providers.docker.network import check_free, ensure_network, fits
from labctl.providers.docker.overlay import remove_overlay
from labctl.providers.docker.parcel import (
    RESOLV,
    digest_of,
    files_of,
    read_mounts,
    read_volumes,
    remove_volumes,
    send_files,
    send_images,
)
from labctl.providers.docker.swarm import check_swarm, read_facts
from labctl.topology.hosts import HERE, host_name, is_here
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.workdir import Workdir

UNREACHABLE = "unreachable"
"""The state of a node whose machine's engine does not answer."""

MOVED = "the lab's machines changed"


def prepare(lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
    """Prepare the engines for Vagrant; returns the nodes whose container was removed, and why.

    `known` are the container ids that Vagrant remembers, by node.
    """
    before = recorded_hosts(lab.folder)
    if not lab.topology.spec.hosts and before == (HERE,):
        return containers.prepare(lab, known)
    hosts = tuple(dict.fromkeys([*lab.topology.machines, *before]))
    facts = check_swarm(hosts)
    write_file(lab.folder.path / RESOLV, containers.RESOLV_CONF)
    for host, nodes in by_host(lab.topology.nodes).items():
        containers.check_names(lab.folder, nodes, at=host)
    mine = check_free(lab)
    anew = mine is not None and not fits(mine, lab)
    removed: dict[str, str] = {}
    for host, gone in on_all(
        hosts,
        lambda host: _remove_outdated(lab, known, host, cpus=facts[host].cpus, anew=anew),
    ).items():
        removed |= gone
        if anew:
            remove_volumes(lab.folder, host)
            remove_crowd(lab.folder, host)
    if anew:
        _remove_networks(lab.folder)
    ensure_network(lab)
    if lab.topology.spec.hosts:
        ensure_leg(lab)
        send_images(lab.topology.nodes)
        on_all(hosts, lambda host: _send_missing_files(lab, host))
    return removed


def _remove_outdated(
    lab: Lab, known: Mapping[str, str], host: str, *, cpus: int, anew: bool
) -> dict[str, str]:
    """Remove the containers of a machine that cannot stay; returns their nodes, and why."""
    placed = {node.name: node for node in lab.topology.nodes if (node.host or HERE) == host}
    volumes = read_volumes(lab.folder, host) if host != HERE else {}
    gone: dict[str, str] = {}
    ids = []
    for container in containers.read_containers(lab.folder, at=host):
        why = containers.unknown(container, known)
        why = why or containers.outdated(container, lab.topology, cpus=cpus)
        if why is None and (anew or container.node not in placed):
            why = MOVED
        if why is None and host != HERE:
            wanted = digest_of(files_of(lab, placed[container.node]))
            why = "its keys changed" if volumes.get(container.node) != wanted else None
        if why:
            gone[container.node] = why
            ids.append(container.id)
    containers.remove_containers(ids, at=host)
    return gone


def _send_missing_files(lab: Lab, host: str) -> None:
    """A node that has a container has its files: the container was made after them."""
    if host == HERE:
        return
    there = containers.read_states(lab.folder, at=host)
    for node in lab.topology.nodes:
        if node.host == host and node.name not in there:
            send_files(lab, node)


def read_states(workdir: Workdir) -> dict[str, str]:
    """The state of each container of the lab, by node; those of a lost machine are unreachable."""
    hosts = hosts_in(workdir)
    if len(hosts) == 1:
        return containers.read_states(workdir)
    answers = on_all(hosts, lambda host: _states_or_error(workdir, host))
    here = answers[HERE]
    if isinstance(here, LabError):
        raise here
    states = {}
    for node in _nodes(workdir):
        if isinstance(answers.get(node.host or HERE), LabError):
            states[node.name] = UNREACHABLE
    for answer in answers.values():
        states |= {} if isinstance(answer, LabError) else answer
    return states


def _states_or_error(workdir: Workdir, host: str) -> dict[str, str] | LabError:
    try:
        return containers.read_states(workdir, at=host)
    except LabError as error:
        return error


def start(workdir: Workdir, nodes: Sequence[str]) -> None:
    """Start nodes that were created before."""
    placed = _placed(workdir, nodes)
    on_all(tuple(placed), lambda host: containers.start(workdir, placed[host], at=host))


def halt(lab: Lab, nodes: Sequence[str]) -> None:
    """Stop all nodes together and cleanly; after 20 s the engines kill those that still run."""
    placed = _placed(lab.folder, nodes)
    on_all(tuple(placed), lambda host: containers.halt(lab.folder, placed[host], at=host))


def read_console(workdir: Workdir, node: str) -> str:
    """The last output of a node's container; empty if there is none."""
    [host] = _placed(workdir, [node])
    return containers.read_console(workdir, node, at=host)


def vagrant_data(lab: Lab) -> dict[str, Any]:
    """See `labctl.providers.base.Provider`: mounts and CPUs of nodes on other machines."""
    data: dict[str, Any] = {"options": list(containers.NODE_OPTIONS)}
    away = by_host(node for node in lab.topology.nodes if not is_here(node.host))
    if away:
        facts = on_all(tuple(away), read_facts)
        data["nodes"] = {
            node.name: {
                "mounts": read_mounts(lab, node),
                "cpus": min(node.size.cpus, facts[host].cpus),
            }
            for host, nodes in away.items()
            for node in nodes
        }
    return data


def clean(workdir: Workdir) -> None:
    """Remove everything of the lab that the engines still have.

    Errors: LabError if a machine does not answer; all others are cleaned before, and the network,
    which says where the lab is, stays.
    """
    hosts = tuple(dict.fromkeys([*hosts_in(workdir), *recorded_hosts(workdir)]))
    if len(hosts) == 1:
        containers.clean(workdir)
        return
    answers = on_all(hosts, lambda host: _clean_or_error(workdir, host))
    lost = {host: error for host, error in answers.items() if error is not None}
    if lost:
        host, error = next(iter(lost.items()))
        raise LabError(
            f"What the lab has on machine '{host_name(host)}' is still there: {error.message}",
            hint="Run the same command again when that machine answers.  If it never will:"
            f" docker node rm --force {host_name(host)}; docker rm --force"
            f" labctl-{workdir.lab}_leg; docker network rm labctl-{workdir.lab}",
        )
    _remove_networks(workdir)


def _clean_or_error(workdir: Workdir, host: str) -> LabError | None:
    try:
        found = containers.read_containers(workdir, at=host)
        containers.remove_containers((container.id for container in found), at=host)
        remove_volumes(workdir, host)
        remove_crowd(workdir, host)
    except LabError as error:
        return error
    return None


def _remove_networks(workdir: Workdir) -> None:
    """Remove the lab's network, and before it the leg: a bridge network has the leg's interface."""
    form = "{{.Driver}}\t{{.Name}}"
    lines = docker("network", "ls", *lab_filters(workdir), "--format", form).splitlines()
    drivers = {name: driver for driver, name in (line.split("\t") for line in lines)}
    if "bridge" not in drivers.values():
        remove_leg(workdir)
    for name in drivers:
        remove_overlay(name)


def _nodes(workdir: Workdir) -> tuple[Node, ...]:
    topology = workdir.find_topology()
    return topology.nodes if topology is not None else ()


def _placed(workdir: Workdir, names: Sequence[str]) -> dict[str, list[str]]:
    """The names of nodes by machine; nodes that the topology does not have are here."""
    hosts = {node.name: node.host or HERE for node in _nodes(workdir)}
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(hosts.get(name, HERE), []).append(name)
    return found
