"""The lab as a drawing: the JMS above, bridges to the left, visitor Prosodies to the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labctl.report.status import Status
from labctl.report.svg import WIDTH, box, drawing, line, shorten, text
from labctl.topology.model import Node, Topology, VNode
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.roles import COTURN, rows, units_of
from labctl.topology.spec import Role
from labctl.topology.units import When

GAP = 12.0
HALF = (WIDTH - 3 * GAP) / 2
CHIPS_IN_NODE = 4
CHIPS_IN_JMS = 8
CHIP_STEP = 24.0
TRUNK = WIDTH / 2


def draw_topology(topology: Topology, *, status: Status | None) -> str:
    """The drawing; with a status what does not work is crossed and named."""
    broken = broken_things(status)
    top = 44.0
    jms, jms_height = _jms(topology, y=top, broken=broken)
    below = top + jms_height
    others = [row for row in rows() if row.role is not Role.JMS]
    columns = tuple(
        column
        for index in (0, 1)
        for column in _columns(
            topology, others[index::2], is_left=index == 0, y=below, broken=broken
        )
    )
    lowest = max((column.wire for column in columns), default=0.0)
    return drawing(
        [
            line(TRUNK, below, TRUNK, lowest, cls="wire") if lowest else "",
            box(TRUNK - 70, 2, 140, 24, cls="outside", round_=12),
            text(TRUNK, 18, "participants, 443/tcp", anchor="middle"),
            line(TRUNK, 26, TRUNK, top, cls="wire"),
            *jms,
            *(part for column in columns for part in column.parts),
        ],
        height=max([below, *(column.end for column in columns)]) + 4,
        title=f"Topology of lab '{topology.lab}'",
        description=_words(topology, broken),
    )


def broken_things(status: Status | None) -> frozenset[str]:
    """Names of nodes, bridges and vnodes that a status says do not work."""
    if status is None:
        return frozenset()
    nodes = {it.name for it in status.nodes if not it.answers or it.idle_units}
    bridges = {f"bridge {it.nick}" for it in status.bridges if not it.operational}
    vnodes = {it.name for it in status.vnodes if not (it.active and it.registered)}
    return frozenset(nodes | bridges | vnodes)


@dataclass(frozen=True, slots=True)
class _Column:
    """Nodes of a role below each other: where the last wire arrives, where it ends."""

    parts: tuple[str, ...]
    wire: float
    end: float


def _jms(topology: Topology, *, y: float, broken: Collection[str]) -> tuple[list[str], float]:
    jms = topology.jms
    bridge = f"bridge '{jms.bridge}'" + (" ✕" if f"bridge {jms.bridge}" in broken else "")
    said = f"{topology.domain} · {COTURN.title}" if jms.turn else topology.domain
    servers = " · ".join(
        unit.title for unit in units_of(jms) if unit.title and unit.when is When.ALWAYS
    )
    height = 62.0 + _chips_height(jms, in_row=CHIPS_IN_JMS)
    return [
        box(GAP, y, WIDTH - 2 * GAP, height, cls=_cls("node", jms.name in broken)),
        _name(jms, x=GAP + 10, y=y + 20, broken=broken),
        text(WIDTH - GAP - 10, y + 20, str(jms.address), cls="small", anchor="end"),
        text(GAP + 10, y + 38, f"{servers} · {bridge}"),
        text(GAP + 10, y + 53, shorten(said, width=310), cls="small"),
        *_chips(jms, x=GAP + 10, y=y + 60, in_row=CHIPS_IN_JMS, broken=broken),
    ], height


def _columns(
    topology: Topology,
    facts: Sequence[RoleFacts],
    *,
    is_left: bool,
    y: float,
    broken: Collection[str],
) -> list[_Column]:
    """The columns of these roles, one below the other on one side of the drawing."""
    found: list[_Column] = []
    for row in facts:
        nodes = [node for node in topology.nodes if node.role is row.role]
        if nodes:
            found.append(_column(row, nodes, is_left=is_left, y=y, broken=broken))
            y = found[-1].end
    return found


def _column(
    row: RoleFacts, nodes: Sequence[Node], *, is_left: bool, y: float, broken: Collection[str]
) -> _Column:
    x = GAP if is_left else 2 * GAP + HALF
    edge = GAP if is_left else WIDTH - GAP
    parts = [
        text(edge, y + 16 + 12 * index, words, cls="small", anchor="start" if is_left else "end")
        for index, words in enumerate(row.caption)
    ]
    y, wire = y + 38, 0.0
    for node in nodes:
        wire = y + 19
        parts.append(line(GAP + HALF if is_left else x, wire, TRUNK, wire, cls="wire"))
        drawn, height = _node(node, x=x, y=y, broken=broken)
        parts += drawn
        y += height + 8
    return _Column(tuple(parts), wire, y)


def _node(node: Node, *, x: float, y: float, broken: Collection[str]) -> tuple[list[str], float]:
    is_broken = node.name in broken or f"bridge {node.bridge}" in broken
    height = 26.0 + (12 if node.bridge else 0) + _chips_height(node, in_row=CHIPS_IN_NODE)
    said = f"bridge '{node.bridge}'" if node.bridge else ""
    return [
        box(x, y, HALF, height, cls=_cls("node", is_broken)),
        _name(node, x=x + 8, y=y + 16, broken={node.name} if is_broken else ()),
        text(x + HALF - 8, y + 16, str(node.address), cls="small", anchor="end"),
        text(x + 8, y + 31, said, cls="small") if said else "",
        *_chips(node, x=x + 7, y=y + 22, in_row=CHIPS_IN_NODE, broken=broken),
    ], height


def _chips_height(node: Node, *, in_row: int) -> float:
    return -(-len(node.vnodes) // in_row) * CHIP_STEP


def _chips(node: Node, *, x: float, y: float, in_row: int, broken: Collection[str]) -> list[str]:
    parts = []
    for index, vnode in enumerate(node.vnodes):
        row, column = divmod(index, in_row)
        parts += _chip(vnode, x=x + column * 38, y=y + row * CHIP_STEP, broken=broken)
    return parts


def _chip(vnode: VNode, *, x: float, y: float, broken: Collection[str]) -> list[str]:
    bad = vnode.name in broken
    words = f"{vnode.name} ✕" if bad else vnode.name
    return [
        box(x, y, 35, 20, cls=_cls("chip", bad), round_=4),
        text(x + 17.5, y + 14, words, cls="broken" if bad else "plain", anchor="middle"),
    ]


def _name(node: Node, *, x: float, y: float, broken: Collection[str]) -> str:
    bad = node.name in broken
    words = shorten(f"{node.name} ✕" if bad else node.name, width=90)
    return text(x, y, words, cls="name broken" if bad else "name")


def _cls(kind: str, is_broken: bool) -> str:
    return f"{kind} bad" if is_broken else kind


def _words(topology: Topology, broken: Collection[str]) -> str:
    nodes = ", ".join(f"{node.name} at {node.address}" for node in topology.nodes)
    wrong = f" Not working: {', '.join(sorted(broken))}." if broken else ""
    return (
        f"{len(topology.nodes)} nodes, {len(topology.bridges)} bridges, "
        f"{len(topology.vnodes)} visitor Prosodies: {nodes}.{wrong}"
    )
