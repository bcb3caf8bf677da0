"""Which TCP ports answer, seen from the host and from other nodes."""

from __future__ import annotations

import errno
import math
import selectors
import socket
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ipaddress import IPv4Address

from acceptance import remote
from acceptance.remote import Machine
from labctl.core.waiting import Deadline, Patience
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology, VNode
from labctl.topology.ports import declared_ports, reachable
from labctl.topology.roles import all_units
from labctl.topology.units import Proto, When

HOST = "host"
OTHERS = (111, 3478, 5000, 5281, 5347)
"""Ports that programs like these sometimes open beside those of the table of roles."""
SECONDS = 1.5
"""How long a closed port may keep silent; an open one answers within milliseconds here."""
LOOK_SECONDS = 0.1
"""Between two looks at what the knocks of a busy node wait for."""

Door = tuple[IPv4Address, int]
Scans = Mapping[str, frozenset[Door] | str]
"""Who looked, and which doors answered; a text says why it could not look."""

# bash opens /dev/tcp by itself, so that nothing need be installed on a node.  A door costs one fork
# and no program, and time counts from the last one: fifty bridges have two thousand doors, and of
# clocks for each some rang before two cores had come to the knock.  A busy node is given more time
# only while one of its knocks is not at a door yet: who waits there has a connection in SYN-SENT.
_SCRIPT = """
for door in {doors}; do
  (exec 3<>"/dev/tcp/${{door%:*}}/${{door#*:}}" && echo "$door") 2>/dev/null &
done
sleep {seconds}
for _ in $(seq {more}); do
  set -- $(jobs -pr)
  [ $# -gt "$(ss -Htnp state syn-sent | grep -c '"bash"')" ] || break
  sleep {pause}
done
unanswered=$(jobs -pr)
disown -a
[ -z "$unanswered" ] || kill $unanswered 2>/dev/null
"""


def doors_of(topology: Topology, node: Node) -> tuple[Door, ...]:
    """The TCP ports of a node that are worth a knock: all declared ones and the handful."""
    declared = {p.number for p in declared_ports(topology, node) if p.proto is Proto.TCP}
    return tuple((node.address, number) for number in sorted({*declared, *known_ports(), *OTHERS}))


def open_to_host(topology: Topology) -> frozenset[Door]:
    """The TCP ports of all nodes that this machine may reach."""
    return frozenset(
        (node.address, number)
        for node in topology.nodes
        for number in open_ports(topology, node, source=topology.host_address)
    )


def open_ports(topology: Topology, node: Node, *, source: IPv4Address) -> set[int]:
    """The TCP ports of a node that are declared to whoever asks from this address."""
    return {
        port.number
        for port in declared_ports(topology, node)
        if port.proto is Proto.TCP and reachable(topology, port, source=source)
    }


def known_ports() -> frozenset[int]:
    """TCP ports that a unit of any role listens on, be it on loopback; of the first vnode's."""
    units = (it.of_vnode(VNode(1)) if it.when is When.EACH_VNODE else it for it in all_units())
    return frozenset(it.number for unit in units for it in unit.ports if it.proto is Proto.TCP)


def scan_all(lab: Lab, machines: Mapping[str, Machine], *, silent: Collection[str]) -> Scans:
    """What answers the host and one node of each role, all looking at once."""
    doors = {node.name: doors_of(lab.topology, node) for node in lab.topology.nodes}

    def look(source: str) -> frozenset[Door] | str:
        others = [door for name, there in doors.items() if name != source for door in there]
        if source == HOST:
            return scan_from_host(others, lab.patience, wanted=open_to_host(lab.topology))
        return scan_from_node(machines[source], others)

    sources = [HOST, *(node.name for node in pick_sources(lab.topology, silent=silent))]
    with ThreadPoolExecutor(max_workers=len(sources)) as pool:
        return dict(zip(sources, pool.map(look, sources), strict=True))


def scan_from_node(machine: Machine, doors: Iterable[Door]) -> frozenset[Door] | str:
    """The doors that answer a node; a text says why it could not look."""
    words = " ".join(f"{address}:{port}" for address, port in doors)
    more = math.ceil((machine.patience.scaled(SECONDS) - SECONDS) / LOOK_SECONDS)
    script = _SCRIPT.format(doors=words, seconds=SECONDS, more=more, pause=LOOK_SECONDS)
    result = remote.run(machine, "bash -c %s", script)
    if result.stderr.strip():
        return str(result.stderr).strip()
    found = (line.rpartition(":") for line in result.stdout.split())
    return frozenset((IPv4Address(address), int(port)) for address, _, port in found)


def scan_from_host(
    doors: Iterable[Door], patience: Patience, *, wanted: Collection[Door] = ()
) -> frozenset[Door]:
    """The doors that answer this machine; on a busy one, those `wanted` are waited for.

    As from a node, time counts from the last knock; what has answered by then is heard, however
    late this process comes to listen.
    """
    found: set[Door] = set()
    with selectors.DefaultSelector() as asked, ExitStack() as stack:
        for door in doors:
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            if client.connect_ex((str(door[0]), door[1])) in (0, errno.EINPROGRESS):
                asked.register(client, selectors.EVENT_WRITE, (client, door))
        soon, late = Deadline.after(SECONDS), patience.deadline(SECONDS)
        while asked.get_map():
            ends = soon if found.issuperset(wanted) else late
            answers = asked.select(ends.left)
            for key, _ in answers:
                client, door = key.data
                asked.unregister(client)
                if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    found.add(door)
            if not answers and ends.passed:
                break
    return frozenset(found)


def pick_sources(topology: Topology, *, silent: Collection[str]) -> tuple[Node, ...]:
    """One node of each role to look from, the last of its role that is not silent."""
    nodes = [node for node in topology.nodes if node.name not in silent]
    by_role: Mapping[str, Node] = {str(node.role): node for node in nodes}
    return tuple(by_role.values())
