"""A picture as a flowchart of Mermaid, which many web views of repositories draw."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.graph.health import State
from labctl.graph.picture import Arrow, Box, Part, Picture
from labctl.topology.units import OUTSIDE

# Fill, border and text are all given, so that both of a page's schemes can be read.
CLASSES = {
    State.GOOD: "fill:#d9f2e0,stroke:#1a7f37,color:#10331a",
    State.BAD: "fill:#ffdfdc,stroke:#b42318,color:#4a0f0a,stroke-width:3px",
    State.UNKNOWN: "",
}


def render_mermaid(picture: Picture) -> str:
    """The text of a flowchart: a subgraph for each box, an arrow for each kind of connection."""
    lines = [
        "---",
        f"title: {_quoted(f'{picture.title}: {picture.subtitle}')}",
        "---",
        "flowchart LR",
        f"  {OUTSIDE}([{_quoted(OUTSIDE)}])",
        *(f"  {line}" for box in picture.boxes for line in _box(box)),
        *(f"  {line}" for line in dict.fromkeys(map(_arrow, picture.arrows))),
        *(f"  {line}" for line in _classes(picture)),
        f"  %% {picture.footer}",
    ]
    return "\n".join(lines) + "\n"


def _box(box: Box) -> Iterator[str]:
    title = f"{box.title} · {box.address}" + (f" ✕ {box.wrong}" if box.wrong else "")
    yield f"subgraph {_id(box)} [{_quoted(title)}]"
    for part in box.parts:
        said = f"{part.title} ✕ {part.wrong or 'does not work'}"
        yield f"  {_id(box, part)}[{_quoted(said if part.state is State.BAD else part.title)}]"
    yield "end"


def _arrow(arrow: Arrow) -> str:
    box, part, socket = arrow.target
    source = _id(*arrow.source) if arrow.source is not None else OUTSIDE
    label = _quoted(f"{arrow.talk} · {socket.ports}")
    line = "-.->" if socket.ports.endswith("udp") else "-->"
    return f"{source} {line}|{label}| {_id(box, part)}"


def _classes(picture: Picture) -> Iterator[str]:
    for state, style in CLASSES.items():
        named = [_id(box) for box in picture.boxes if box.state is state]
        named += [_id(box, part) for box in picture.boxes for part in box.parts
                  if part.state is state]  # fmt: skip
        if named and style:
            yield f"classDef {state} {style}"
            yield f"class {','.join(named)} {state}"


def _id(box: Box, part: Part | None = None) -> str:
    """A name that is no word of Mermaid's."""
    words = ["node", box.key.replace("-", "_")]
    return "_".join([*words, part.key] if part is not None else words)


def _quoted(text: str) -> str:
    """A text with Mermaid's own escapes."""
    escaped = text.replace("&", "&amp;").replace('"', "#quot;").replace("<", "&lt;")
    return f'"{escaped}"'
