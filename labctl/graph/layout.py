"""Where everything of a picture stands in the SVG: boxes in columns, arrows in lanes between them.

The JMS stands in the middle below the participants; the other roles stand left and right of it in
turn.  All arrows with one word and one direction share a lane, a vertical line between two columns,
so that a large lab has no more lanes than a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.graph.health import State
from labctl.graph.picture import Arrow, Box, Part, Picture, Socket
from labctl.report.svg import CHARACTER
from labctl.topology.roles import BRIDGE, rows
from labctl.topology.spec import Role
from labctl.topology.units import OUTSIDE, Talk

MARGIN, ROW, HEAD, GAP, LANE, PAD = 16.0, 17.0, 42.0, 18.0, 15.0, 10.0
TOP = 62.0
LEAST_WIDTH = 200.0
DOOR = 30.0
"""The height of the box of the participants."""

LEFT, MIDDLE, RIGHT = range(3)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a box: its text, how far down its middle is, and its class."""

    words: str
    y: float
    cls: str
    right: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A box with its corner, its size and its lines."""

    box: Box | None
    column: int
    x: float
    y: float
    width: float
    height: float
    lines: tuple[Line, ...]
    parts: Mapping[str, float]
    """Where arrows leave from each part."""
    sockets: Mapping[tuple[str, int], float]
    """Where arrows arrive."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A vertical line with what leaves to it and what arrives from it: (x, y) at the boxes."""

    talk: Talk
    x: float
    sources: tuple[tuple[float, float], ...]
    targets: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    places: tuple[Place, ...]
    lanes: tuple[Lane, ...]
    width: float
    height: float


def lay_out(picture: Picture) -> Layout:
    """The places of all boxes and lanes."""
    sides = _sides(picture)
    counts = [sum(1 for side, *_ in sides if side == gap) for gap in (0, 1)]
    used = {_column(box) for box in picture.boxes} | {MIDDLE}
    widths = [_width(picture, column) if column in used else 0.0 for column in range(3)]
    gaps = [(count + 2) * LANE if count else 0.0 for count in counts]
    lefts = [
        MARGIN,
        MARGIN + widths[LEFT] + gaps[0],
        MARGIN + widths[LEFT] + gaps[0] + widths[MIDDLE] + gaps[1],
    ]
    door = Place(None, MIDDLE, lefts[MIDDLE], TOP, widths[MIDDLE], DOOR,
                 (Line(OUTSIDE, TOP + DOOR / 2, "name"),), {}, {})  # fmt: skip
    places = [door]
    downs = [TOP, TOP + DOOR + GAP, TOP]
    for box in picture.boxes:
        column = _column(box)
        place = _place(box, column, x=lefts[column], y=downs[column], width=widths[column])
        places.append(place)
        downs[column] += place.height + GAP
    starts = (lefts[LEFT] + widths[LEFT], lefts[MIDDLE] + widths[MIDDLE])
    lanes = _lanes(picture, places, sides, starts)
    return Layout(tuple(places), lanes, lefts[RIGHT] + widths[RIGHT] + MARGIN, max(downs))


def _column(box: Box) -> int:
    if box.role is Role.JMS:
        return MIDDLE
    others = [row.role for row in rows() if row.role is not Role.JMS]
    return (LEFT, RIGHT)[others.index(box.role) % 2]


def _width(picture: Picture, column: int) -> float:
    lines = [
        line
        for box in picture.boxes
        if _column(box) == column
        for line in _place(box, column, x=0, y=0, width=0).lines
    ]
    words = max((len(line.words) + len(line.right) for line in lines), default=0)
    return max(LEAST_WIDTH, (words + 2) * CHARACTER + 2 * PAD)


def _place(box: Box, column: int, *, x: float, y: float, width: float) -> Place:
    """The box with its lines below each other."""
    down = y + ROW / 2 + 6
    lines = [Line(box.title, down, "name", box.address)]
    parts, sockets = {}, {}

    def add(words: str, cls: str, right: str = "") -> float:
        nonlocal down
        down += ROW
        lines.append(Line(words, down, cls, right))
        return down

    if box.wrong:
        add(f"✕ {box.wrong}", "wrong")
    for part in box.parts:
        mark = "✕ " if part.state is State.BAD else ""
        parts[part.key] = add(f"{mark}{part.title}", "wrong" if mark else "part")
        if part.wrong:
            add(f"  {part.wrong}", "wrong")
        for socket in part.sockets:
            sockets[part.key, socket.key] = add(socket.ports, "port", ", ".join(socket.talks))
    return Place(box, column, x, y, width, down - y + ROW / 2 + 6, tuple(lines), parts, sockets)


Side = tuple[int, Talk, int, int]
"""A lane: the gap that it is in, its word, and the columns where it begins and ends."""


def _sides(picture: Picture) -> list[Side]:
    return list(dict.fromkeys(_side(arrow) for arrow in picture.arrows))


def _side(arrow: Arrow) -> Side:
    source = MIDDLE if arrow.source is None else _column(arrow.source[0])
    target = _column(arrow.target[0])
    to_bridge = BRIDGE.program.replace("-", "_") in (
        arrow.target[1].key,
        arrow.source[1].key if arrow.source else "",
    )
    left = LEFT in (source, target) or (source == target == MIDDLE and to_bridge)
    return (0 if left else 1), arrow.talk, source, target


def _lanes(
    picture: Picture, places: list[Place], sides: list[Side], starts: tuple[float, float]
) -> tuple[Lane, ...]:
    found, count = [], [0, 0]
    for side in sides:
        gap = side[0]
        count[gap] += 1
        arrows = [arrow for arrow in picture.arrows if _side(arrow) == side]
        sources = dict.fromkeys(_source_at(arrow, places, gap) for arrow in arrows)
        targets = dict.fromkeys(_target_at(arrow, places, gap) for arrow in arrows)
        x = starts[gap] + (count[gap] + 0.5) * LANE
        found.append(Lane(side[1], x, tuple(sources), tuple(targets)))
    return tuple(found)


def _edge(place: Place, gap: int) -> float:
    """The side of a box that faces a gap."""
    return place.x + place.width if place.column <= gap else place.x


def _source_at(arrow: Arrow, places: list[Place], gap: int) -> tuple[float, float]:
    if arrow.source is None:
        return _edge(places[0], gap), places[0].y + DOOR / 2
    box, part = arrow.source
    place = _of(box, places)
    return _edge(place, gap), place.parts[part.key]


def _target_at(arrow: Arrow, places: list[Place], gap: int) -> tuple[float, float]:
    box, part, socket = arrow.target
    place = _of(box, places)
    return _edge(place, gap), place.sockets[_at(part, socket)]


def _at(part: Part, socket: Socket) -> tuple[str, int]:
    return part.key, socket.key


def _of(box: Box, places: list[Place]) -> Place:
    return next(place for place in places if place.box is box)
