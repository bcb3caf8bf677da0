"""A picture as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labctl.graph.health import State
from labctl.graph.picture import Arrow, Box, Part, Picture
from labctl.topology.units import OUTSIDE, TALKS

MARKS = {State.GOOD: "ok ", State.BAD: "NOT ", State.UNKNOWN: ""}
"""Words, because some people see no colours."""

Paint = Callable[[str, State], str]


def plain(text: str, _: State) -> str:
    """Without colours."""
    return text


def render_text(picture: Picture, *, paint: Paint = plain) -> str:
    """Each box with its parts: what listens, who connects there, and what it opens itself."""
    lines = [f"{picture.title}: {picture.subtitle}", "", OUTSIDE, *_outside(picture)]
    for box in picture.boxes:
        head = f"{box.title}  {box.address}"
        lines += ["", f"{head}  {paint(_state(box.state, box.wrong), box.state)}".rstrip()]
        for part in box.parts:
            said = paint(_state(part.state, part.wrong), part.state)
            lines.append(f"  {part.title}  {said}".rstrip())
            lines += [f"    {line}" for line in _part(picture, box, part)]
    width = max(map(len, picture.talks), default=0)
    lines += ["", *(f"{talk:<{width}}  {TALKS[talk]}" for talk in picture.talks)]
    return "\n".join([*lines, "", picture.footer]) + "\n"


def _state(state: State, wrong: str) -> str:
    return f"{MARKS[state]}{f'({wrong})' if wrong else ''}".strip()


def _outside(picture: Picture) -> Iterator[str]:
    for arrow in picture.arrows:
        if arrow.source is None:
            yield f"    {_opens(arrow)}"


def _part(picture: Picture, box: Box, part: Part) -> Iterator[str]:
    for socket in part.sockets:
        callers = dict.fromkeys(
            _caller(arrow, box)
            for arrow in picture.arrows
            if arrow.target[1] is part and arrow.target[2] is socket
        )
        talks = ", ".join(socket.talks)
        yield f"<- {socket.ports:<18} {talks:<16} from {', '.join(callers) or 'nobody'}"
    for arrow in picture.arrows:
        if arrow.source is not None and arrow.source[1] is part:
            yield _opens(arrow)


def _opens(arrow: Arrow) -> str:
    box, part, socket = arrow.target
    return f"-> {socket.ports:<18} {arrow.talk:<16} to {box.title} {part.title}"


def _caller(arrow: Arrow, box: Box) -> str:
    if arrow.source is None:
        return OUTSIDE
    other, part = arrow.source
    if arrow.inside:
        return "each other"
    return part.title if other is box else f"{other.title} {part.title}"
