"""A lab as boxes, parts, sockets and arrows, with what is alike drawn once.

The writers (`labctl.graph.mermaid`, `svg`, `text`) only arrange these values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from labctl.graph.health import Health, State
from labctl.report.status import Status
from labctl.topology.connections import Connection, End, connections
from labctl.topology.model import HOST_OFFSET, Node, Topology
from labctl.topology.roles import BRIDGE, SSH, role_facts, units_of
from labctl.topology.spec import Role
from labctl.topology.units import SERVICE, Talk, UnitFacts

MOST_APART = 6
"""So many nodes of a role are drawn apart; more are one box for each state."""

MOST_NAMED = 6
"""So many things that do not work are named in one place."""


@dataclass(frozen=True, slots=True)
class Socket:
    """Ports that listen, and the words of what is said there."""

    key: int
    ports: str
    talks: tuple[Talk, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A unit of a box, or all alike ones; `wrong` says which do not work, and why."""

    key: str
    title: str
    state: State
    wrong: str
    sockets: tuple[Socket, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A node, or several alike ones."""

    key: str
    title: str
    address: str
    role: Role
    state: State
    wrong: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """Connections that are opened: from a part (None: from outside) to a socket."""

    talk: Talk
    source: tuple[Box, Part] | None
    target: tuple[Box, Part, Socket]

    @property
    def inside(self) -> bool:
        """Whether both ends are the same part, of several nodes."""
        return self.source is not None and self.source[1] is self.target[1]


@dataclass(frozen=True, slots=True)
class Picture:
    """A lab to draw.  `footer` is what is true of all nodes."""

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    footer: str

    @property
    def talks(self) -> tuple[Talk, ...]:
        """The words that occur, in their usual order."""
        found = {arrow.talk for arrow in self.arrows}
        return tuple(talk for talk in Talk if talk in found)

    @property
    def knows_state(self) -> bool:
        return any(box.state is not State.UNKNOWN for box in self.boxes)


def make_picture(topology: Topology, *, status: Status | None = None) -> Picture:
    """The picture of a lab, or of the running lab with its status."""
    health, links = Health(status), connections(topology)
    groups = list(_groups(topology, health))
    boxes = tuple(_box(topology, group, health, links) for group in groups)
    home = {node.name: box for group, box in zip(groups, boxes, strict=True) for node in group}
    words = [f"{len(topology.nodes)} nodes, {len(topology.bridges)} bridges"]
    if topology.vnodes:
        words.append(f"{len(topology.vnodes)} visitor Prosodies")
    return Picture(
        title=f"Lab '{topology.lab}'",
        subtitle=f"{topology.domain}, {', '.join(words)}, {topology.network}, host at"
        f" .{HOST_OFFSET}",
        boxes=boxes,
        arrows=tuple(dict.fromkeys(_arrow(link, home) for link in links)),
        footer=f"labctl reaches every node by ssh, {SSH.ports[0]}.",
    )


def _groups(topology: Topology, health: Health) -> Iterator[tuple[Node, ...]]:
    """Nodes that are drawn as one box; where there are many, those of one role and state."""
    for _, found in groupby(topology.nodes, key=lambda node: node.role):
        nodes = tuple(found)
        for state in State:
            alike = tuple(node for node in nodes if _node_state(node, health) is state)
            if len(nodes) <= MOST_APART:
                continue
            if state is State.BAD and len(alike) <= MOST_APART:
                yield from ((node,) for node in alike)
            elif alike:
                yield alike
        if len(nodes) <= MOST_APART:
            yield from ((node,) for node in nodes)


def _node_state(node: Node, health: Health) -> State:
    problems = [health.unit_problem(node, unit) for unit in units_of(node)]
    return health.state_of(health.node_problem(node) or next(filter(None, problems), ""))


def _box(
    topology: Topology, group: Sequence[Node], health: Health, links: Iterable[Connection]
) -> Box:
    ends = [end for link in links for end in (link.source, link.target) if end is not None]
    named = {end.unit.template for end in ends if end.node in group}
    ends = [End(node, unit) for node in group for unit in units_of(node)]
    templates = dict.fromkeys(end.unit.template for end in ends if end.unit.template in named)
    wrong = [f"{node.name} {said}" for node in group if (said := health.node_problem(node))]
    states = {_node_state(node, health) for node in group}
    return Box(
        key=group[0].name,
        title=_names(topology, group),
        address=_addresses(group),
        role=group[0].role,
        state=State.BAD if State.BAD in states else states.pop(),
        wrong=_named(wrong),
        parts=tuple(
            _part(topology, [end for end in ends if end.unit.template == template], health)
            for template in templates
        ),
    )


def _part(topology: Topology, ends: Sequence[End], health: Health) -> Part:
    first = ends[0].unit
    problems = [(end, health.unit_problem(end.node, end.unit)) for end in ends]
    # A node that does not answer is named once, at its box.
    wrong = [
        f"{_short(end)} {said}"
        for end, said in problems
        if said and not health.node_problem(end.node)
    ]
    return Part(
        key=_key(first),
        title=_title(ends),
        state=health.state_of(next((said for _, said in problems if said), "")),
        wrong=_named(wrong),
        sockets=tuple(
            Socket(
                key,
                f"{ranges(end.unit.ports[key].number for end in ends)}/{port.proto}",
                tuple(dict.fromkeys(use.talk for use in port.uses if topology.spec.relays
                                    or not use.relays)),
            )
            for key, port in enumerate(first.ports)
            if port.uses and (topology.spec.relays or not port.relays)
        ),
    )  # fmt: skip


def _title(ends: Sequence[End]) -> str:
    first = ends[0]
    if first.unit.template == BRIDGE.template:
        return f"bridge '{first.node.bridge}'" if len(ends) == 1 else f"{len(ends)} bridges"
    if first.unit.vnode is not None:
        return f"Prosody v{ranges(end.unit.vnode.index for end in ends if end.unit.vnode)}"
    return first.unit.title or first.unit.stem


def _short(end: End) -> str:
    unit: UnitFacts = end.unit
    if unit.vnode is not None:
        return unit.vnode.name
    return end.node.bridge or end.node.name if unit.template == BRIDGE.template else unit.stem


def _named(wrong: Sequence[str]) -> str:
    more = len(wrong) - MOST_NAMED
    return ", ".join(wrong[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _names(topology: Topology, group: Sequence[Node]) -> str:
    if len(group) == 1:
        return group[0].name
    alike = [node.name for node in topology.nodes if node.role is group[0].role]
    numbers = ranges(alike.index(node.name) + 1 for node in group)
    return role_facts(group[0].role).names.format(n=numbers)


def _addresses(group: Sequence[Node]) -> str:
    front = str(group[0].address).rpartition(".")[0]
    return f"{front}.{ranges(node.address.packed[-1] for node in group)}"


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order, neighbours together: '1-3, 7'."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _arrow(link: Connection, home: dict[str, Box]) -> Arrow:
    box, part = _at(link.target, home)
    key = link.target.unit.ports.index(link.port)
    socket = next(it for it in part.sockets if it.key == key)
    source = _at(link.source, home) if link.source is not None else None
    return Arrow(link.talk, source, (box, part, socket))


def _at(end: End, home: dict[str, Box]) -> tuple[Box, Part]:
    box = home[end.node.name]
    return box, next(part for part in box.parts if part.key == _key(end.unit))


def _key(unit: UnitFacts) -> str:
    """The unit's row of the table, as a word: `prosody_v` for every vnode."""
    return re.sub(r"\W+", "_", unit.template.removesuffix(SERVICE)).strip("_")
