"""Filters in words: which packets of a node belong to 'brewery', 's2s' and so on.

The ports of a word are those of the lab's connections, so there is no other table of them.
"""

from __future__ import annotations

from collections.abc import Collection

from labctl.core.errors import UsageError
from labctl.topology.connections import connections
from labctl.topology.model import Node, Topology
from labctl.topology.roles import SSH
from labctl.topology.units import Talk

NOT_OURS = " and ".join(f"not {port.proto} port {port.number}" for port in SSH.ports)
"""labctl's own connection carries the packets away: recording it would never end."""


def parse_words(names: Collection[str]) -> tuple[Talk, ...]:
    """The words of a filter, as the user gave them.  Errors: UsageError that names all words."""
    known = list(map(str, Talk))
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no filter '{name}'.", hint=f"The filters are {', '.join(known)}."
            )
    return tuple(Talk(name) for name in names)


def render_filter(topology: Topology, node: Node, talks: Collection[Talk]) -> str:
    """The filter for a node in the language of tcpdump; without words, all but labctl's own ssh.

    Errors: UsageError if the node has no connection of any of the words.
    """
    if not talks:
        return NOT_OURS
    found = [link for link in connections(topology) if link.touches(node)]
    ports = {(str(link.port.proto), link.port.number) for link in found if link.talk in talks}
    if not ports:
        seen = {link.talk for link in found}
        has = ", ".join(talk for talk in Talk if talk in seen) or "none of them"
        raise UsageError(
            f"No packets of {' or '.join(talks)} are seen on node '{node.name}'.",
            hint=f"It has {has}; 'labctl graph' shows all connections.",
        )
    return " or ".join(
        f"{proto} port {low}" if low == high else f"{proto} portrange {low}-{high}"
        for proto, low, high in _runs(sorted(ports))
    )


def _runs(ports: Collection[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Neighbours as ranges, so that the filter of 64 vnodes stays short."""
    runs: list[tuple[str, int, int]] = []
    for proto, number in ports:
        if runs and runs[-1][0] == proto and runs[-1][2] == number - 1:
            runs[-1] = (proto, runs[-1][1], number)
        else:
            runs.append((proto, number, number))
    return runs
