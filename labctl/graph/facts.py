"""A picture as facts for programs."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.graph.picture import Arrow, Box, Part, Picture
from labctl.topology.units import Talk


@dataclass(frozen=True, slots=True)
class ArrowFacts:
    """Connections with one word: who opens them (None: participants), who listens, and where.

    Both ends are the keys of a box and of a part in it.
    """

    talk: Talk
    source: tuple[str, ...] | None
    target: tuple[str, ...]
    ports: str


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """A lab as boxes (a node, or several alike ones) and as connections between their parts."""

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    arrows: tuple[ArrowFacts, ...]


def facts_of(picture: Picture) -> GraphFacts:
    """The same picture, without what is only for people."""
    arrows = tuple(_arrow(arrow) for arrow in picture.arrows)
    return GraphFacts(picture.title, picture.subtitle, picture.boxes, arrows)


def _arrow(arrow: Arrow) -> ArrowFacts:
    box, part, socket = arrow.target
    source = _keys(*arrow.source) if arrow.source is not None else None
    return ArrowFacts(arrow.talk, source, _keys(box, part), socket.ports)


def _keys(box: Box, part: Part) -> tuple[str, str]:
    return box.key, part.key
