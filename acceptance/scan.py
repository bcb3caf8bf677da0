"""Which TCP ports answer, seen from the host and from other nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address

from testinfra.host import Host

from acceptance import remote
from labctl.model import Node, Topology
from labctl.ports import Proto, declared_ports
from labctl.waiting import scaled

HOST = "host"
UNDECLARED = (111, 3478, 5000, 5222, 5269, 5280, 5281, 5347, 8080, 8888, 9090, 52221, 52691, 52801)
"""Ports that something of Jitsi's listens on somewhere, mostly on loopback, and a few others."""
SECONDS = 1.5
"""How long a closed port may keep silent; an open one answers within milliseconds here."""

Door = tuple[IPv4Address, int]
Scans = Mapping[str, frozenset[Door] | str]
"""Who looked, and which doors answered; a text says why it could not look."""

# bash opens /dev/tcp by itself, so that nothing need be installed on a node; all at once.
_SCRIPT = """
for door in {doors}; do
  (timeout {seconds} bash -c "exec 3<>/dev/tcp/${{door%:*}}/${{door#*:}}" 2>/dev/null &&
   echo "$door") &
done; wait
"""


def doors_of(topology: Topology, node: Node) -> tuple[Door, ...]:
    """The TCP ports of a node that are worth a knock: all declared ones and the handful."""
    declared = {p.number for p in declared_ports(topology, node) if p.proto is Proto.TCP}
    return tuple((node.address, number) for number in sorted({*declared, *UNDECLARED}))


def scan_all(topology: Topology, hosts: Mapping[str, Host], *, silent: Collection[str]) -> Scans:
    """What answers the host and one node of each role, all looking at once."""
    doors = {node.name: doors_of(topology, node) for node in topology.nodes}

    def look(source: str) -> frozenset[Door] | str:
        others = [door for name, there in doors.items() if name != source for door in there]
        return scan_from_host(others) if source == HOST else scan_from_node(hosts[source], others)

    sources = [HOST, *(node.name for node in pick_sources(topology, silent=silent))]
    with ThreadPoolExecutor(max_workers=len(sources)) as pool:
        return dict(zip(sources, pool.map(look, sources), strict=True))


def scan_from_node(host: Host, doors: Iterable[Door]) -> frozenset[Door] | str:
    """The doors that answer a node; a text says why it could not look."""
    words = " ".join(f"{address}:{port}" for address, port in doors)
    script = _SCRIPT.format(doors=words, seconds=scaled(SECONDS))
    result = remote.run(host, "bash -c %s", script)
    if result.stderr.strip():
        return str(result.stderr).strip()
    found = (line.rpartition(":") for line in result.stdout.split())
    return frozenset((IPv4Address(address), int(port)) for address, _, port in found)


def scan_from_host(doors: Iterable[Door]) -> frozenset[Door]:
    """The doors that answer this machine."""
    return asyncio.run(_scan(tuple(doors)))


async def _scan(doors: tuple[Door, ...]) -> frozenset[Door]:
    answers = await asyncio.gather(*(_knock(*door) for door in doors))
    return frozenset(door for door, open_ in zip(doors, answers, strict=True) if open_)


async def _knock(address: IPv4Address, port: int) -> bool:
    try:
        async with asyncio.timeout(scaled(SECONDS)):
            _, writer = await asyncio.open_connection(str(address), port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def pick_sources(topology: Topology, *, silent: Collection[str]) -> tuple[Node, ...]:
    """One node of each role to look from, the last of its role that is not silent."""
    nodes = [node for node in topology.nodes if node.name not in silent]
    by_role: Mapping[str, Node] = {str(node.role): node for node in nodes}
    return tuple(by_role.values())
