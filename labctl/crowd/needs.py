"""What a crowd without media takes: memory of the nodes and of this machine, and time to come in.

Measured with 16,003 people on 8 vnodes (benchmarks/README.md), Debian 13's Prosody and nginx, two
cores for nodes and crowd together; the time is a sum of what everybody costs once and of what those
who are in cost all the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.crowd.stream import PING_EVERY
from labctl.topology.model import Node
from labctl.topology.roles import role_facts
from labctl.topology.spec import Role

PROSODY_KB, NGINX_KB, CROWD_KB = 84, 58, 40
"""Memory for each person where it is logged in, in nginx of the JMS, and in the crowd's process."""

VNODE_MIB = 24
"""What a vnode without visitors takes."""

SYSTEM_MIB = 96
"""What a node of vnodes takes besides them."""

RESERVE = 1.25
"""A Prosody grows before its collector comes by, and the kernel counts buffers of connections."""

JOIN_SECONDS, PING_SECONDS = 0.055, 0.001
"""CPU time of all processes together: once for each that comes in, and for each of its pings."""

LEAST_LEFT = 0.1
"""The share of the cores that pings must leave, or pings and those who come in are not in time."""

JOINS_A_SECOND = 3
"""How many Jitsi admits to a main room (`rate_limit_joins`); visitors do not wait for it."""

MAX_VISITORS = 20_000
"""More than were ever tried in one crowd."""

STEPS = 500


@dataclass(frozen=True, slots=True)
class NodeNeed:
    """The memory that a crowd takes on a node, and what the node has; in MiB."""

    node: str
    role: Role
    needed: int
    has: int

    @property
    def enough(self) -> bool:
        return self.needed <= self.has


@dataclass(frozen=True, slots=True)
class CrowdNeeds:
    """What a crowd takes.

    `crowd_mib` is for its processes.  `ping_cores` is how many cores are busy with pings while all
    are in; `seconds` until then, or None if those cores are nearly all that there are.
    """

    nodes: tuple[NodeNeed, ...]
    crowd_mib: int
    ping_cores: float
    seconds: float | None

    @property
    def too_small(self) -> tuple[NodeNeed, ...]:
        return tuple(need for need in self.nodes if not need.enough)


def crowd_needs(
    nodes: Sequence[Node], *, participants: int, visitors: int, rate: float, cores: int
) -> CrowdNeeds:
    """What so many people take of a lab's nodes.

    `rate` is how many begin to join a second; `cores` are those that nodes and crowd share.
    """
    people = participants + visitors
    return CrowdNeeds(
        nodes=node_needs(nodes, participants=participants, visitors=visitors),
        crowd_mib=round(people * CROWD_KB / 1024),
        ping_cores=round(people / PING_EVERY * PING_SECONDS, 2),
        seconds=_seconds(participants, visitors, rate=rate, cores=cores),
    )


def node_needs(nodes: Sequence[Node], *, participants: int, visitors: int) -> tuple[NodeNeed, ...]:
    """The memory that so many people take on those nodes of a lab where it depends on them."""
    people, vnodes = participants + visitors, sum(len(node.vnodes) for node in nodes)
    each = visitors / vnodes if vnodes else 0.0
    needs = (_need(node, participants=participants, people=people, each=each) for node in nodes)
    return tuple(need for need in needs if need is not None)


def _need(node: Node, *, participants: int, people: int, each: float) -> NodeNeed | None:
    """`each` vnode has so many visitors; None for a node whose memory does not depend on them."""
    grown = each * len(node.vnodes) * PROSODY_KB
    if node.role is Role.JMS:
        first = role_facts(node.role).least_memory_mib
        grown += participants * PROSODY_KB + people * NGINX_KB
    elif node.vnodes:
        first = SYSTEM_MIB
    else:
        return None
    needed = first + len(node.vnodes) * VNODE_MIB + grown / 1024 * RESERVE
    return NodeNeed(node.name, node.role, round(needed), node.size.memory_mib)


def _seconds(participants: int, visitors: int, *, rate: float, cores: int) -> float | None:
    """Participants come at the rate that the main room admits, then visitors share the cores with
    the pings of those who are in."""
    seconds = participants / min(rate, JOINS_A_SECOND)
    step = visitors / STEPS
    for number in range(STEPS):
        people = participants + step * (number + 0.5)
        left = cores - people / PING_EVERY * PING_SECONDS
        if left < LEAST_LEFT * cores:
            return None
        seconds += step * max(1 / rate, JOIN_SECONDS / left)
    return round(seconds, 1)
