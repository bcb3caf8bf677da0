"""The machines over which a lab's containers are spread, and asking all their engines at once.

Which they are is in the topology.  The lab's network, which only this machine's engine can make and
remove, has them in a label as well: it outlives the lab's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labctl.core.errors import LabError
from labctl.providers.docker.command import docker, environ_of, lab_filters
from labctl.topology.hosts import HERE, is_here
from labctl.topology.model import Node
from labctl.topology.workdir import Workdir

T = TypeVar("T")

HOSTS_LABEL = "labctl.hosts"


def hosts_in(workdir: Workdir) -> tuple[str, ...]:
    """The machines of the lab in a folder; if its topology cannot be read, as its network says."""
    try:
        return workdir.load_topology().machines
    except LabError:
        return recorded_hosts(workdir)


def recorded_hosts(workdir: Workdir) -> tuple[str, ...]:
    """The machines that the lab's network was made for; this one if there is no such network."""
    words = ("network", "ls", *lab_filters(workdir), "--format")
    found = docker(*words, f'{{{{.Label "{HOSTS_LABEL}"}}}}').split()
    return tuple(dict.fromkeys([HERE, *(host for line in found for host in line.split(","))]))


def on_all(hosts: Sequence[str], ask: Callable[[str], T]) -> dict[str, T]:
    """The answer of each machine's engine; they are asked at the same time."""
    if len(hosts) == 1:
        return {host: ask(host) for host in hosts}
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        return dict(zip(hosts, pool.map(ask, hosts), strict=True))


def by_host(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """The nodes of each machine."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(HERE if is_here(node.host) else node.host, []).append(node)
    return found


def split(nodes: Sequence[Node]) -> list[tuple[Mapping[str, str], Sequence[Node]]]:
    """See `labctl.providers.base.Provider`: a run of Vagrant talks to one engine."""
    return [(environ_of(host), found) for host, found in by_host(nodes).items()]
