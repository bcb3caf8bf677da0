"""A picture as one SVG file, without anything from outside; it follows the reader's colours."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from labctl.graph.layout import MARGIN, PAD, Lane, Line, Place, lay_out
from labctl.graph.picture import Picture
from labctl.report.svg import CHARACTER, box, element, line, number, text
from labctl.topology.units import TALKS, Talk

LIGHT = {
    Talk.HTTPS: "#0550ae", Talk.BREWERY: "#8250df", Talk.FOCUS: "#116329", Talk.S2S: "#953800",
    Talk.HTTP: "#57606a", Talk.MEDIA: "#bf3989", Talk.RELAY: "#6f7c00", Talk.CHANNEL: "#007a8a",
    Talk.TURN: "#7d4e00", Talk.METRICS: "#1b7c83",
}  # fmt: skip
DARK = {
    Talk.HTTPS: "#79c0ff", Talk.BREWERY: "#d2a8ff", Talk.FOCUS: "#7ee787", Talk.S2S: "#ffa657",
    Talk.HTTP: "#b1bac4", Talk.MEDIA: "#ff9bce", Talk.RELAY: "#d4dd5a", Talk.CHANNEL: "#56d4dd",
    Talk.TURN: "#e3b341", Talk.METRICS: "#a5f3c4",
}  # fmt: skip
LEGEND_ROW = 18.0


def _style() -> str:
    """Light colours, and dark ones where the reader's system asks for them."""

    def scheme(paper: str, ink: str, quiet: str, node: str, rim: str, bad: str, good: str) -> str:
        return (
            f".paper{{fill:{paper}}}text{{fill:{ink}}}.small,.port{{fill:{quiet}}}"
            f".node{{fill:{node};stroke:{rim}}}.good{{stroke:{good}}}.bad{{stroke:{bad}}}"
            f".wrong{{fill:{bad}}}"
        )

    def talks(colours: dict[Talk, str]) -> str:
        return "".join(
            f".{talk}{{stroke:{colour}}}.{talk}-end{{fill:{colour}}}"
            for talk, colour in colours.items()
        )

    light = scheme("#ffffff", "#1f2328", "#57606a", "#f6f8fa", "#6e7781", "#b42318", "#1a7f37")
    dark = scheme("#0d1117", "#e6edf3", "#9da7b3", "#161b22", "#8b949e", "#ff7b72", "#3fb950")
    return (
        "text{font:11px ui-sans-serif,system-ui,sans-serif}.name,.title{font-weight:600}"
        ".title{font-size:15px}.node{stroke-width:1.2}.good{stroke-width:2}"
        ".bad{stroke-width:3;stroke-dasharray:6 3}.wrong{font-weight:600}"
        ".lane{fill:none;stroke-width:1.6}"
        f"{light}{talks(LIGHT)}@media (prefers-color-scheme:dark){{{dark}{talks(DARK)}}}"
    )


def render_svg(picture: Picture) -> str:
    """The whole file."""
    layout = lay_out(picture)
    width = max(layout.width, (len(picture.subtitle) + 4) * CHARACTER + 2 * MARGIN)
    legend = list(_legend(picture, y=layout.height + 8))
    height = layout.height + 8 + (len(picture.talks) + 2) * LEGEND_ROW
    parts = [
        box(0, 0, width, height, cls="paper", round_=0),
        text(MARGIN, 24, picture.title, cls="title"),
        text(MARGIN, 43, picture.subtitle, cls="small"),
        *(part for place in layout.places for part in _place(place)),
        *(part for lane in layout.lanes for part in _lane(lane)),
        *legend,
    ]
    described = element("title", escape(picture.title)) + element("desc", escape(_words(picture)))
    return element(
        "svg",
        element("style", _style()) + described + "\n".join(parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
    ) + "\n"  # fmt: skip


def _place(place: Place) -> Iterator[str]:
    state = f"node {place.box.state}" if place.box is not None else "node"
    yield box(place.x, place.y, place.width, place.height, cls=state)
    for row in place.lines:
        yield from _line(place, row)


def _line(place: Place, row: Line) -> Iterator[str]:
    indent = {"port": 14.0, "part": 2.0}.get(row.cls, 0.0)
    yield text(place.x + PAD + indent, row.y + 4, row.words, cls=row.cls)
    if row.right:
        yield text(place.x + place.width - PAD, row.y + 4, row.right, cls="small", anchor="end")


def _lane(lane: Lane) -> Iterator[str]:
    """One vertical line, a dot where an arrow begins, a head where it ends."""
    downs = [y for _, y in (*lane.sources, *lane.targets)]
    cls = f"lane {lane.talk}"
    if max(downs) > min(downs):
        yield line(lane.x, min(downs), lane.x, max(downs), cls=cls)
    for x, y in lane.sources:
        yield line(x, y, lane.x, y, cls=cls)
        yield element("circle", cx=x, cy=y, r=2.6, cls=f"{lane.talk}-end")
    for x, y in lane.targets:
        back = 7.0 if lane.x > x else -7.0
        yield line(x + back, y, lane.x, y, cls=cls)
        head = f"M{number(x)} {number(y)}l{number(back)} -4v8z"
        yield element("path", element("title", str(lane.talk)), d=head, cls=f"{lane.talk}-end")


def _legend(picture: Picture, *, y: float) -> Iterator[str]:
    for talk in picture.talks:
        y += LEGEND_ROW
        yield line(MARGIN, y - 4, MARGIN + 26, y - 4, cls=f"lane {talk}")
        yield text(MARGIN + 34, y, str(talk), cls="name")
        yield text(MARGIN + 96, y, TALKS[talk], cls="small")
    yield text(MARGIN, y + LEGEND_ROW, f"Dot: who opens. Arrow: who listens. {picture.footer}",
               cls="small")  # fmt: skip


def _words(picture: Picture) -> str:
    """The picture for a screen reader."""
    boxes = "; ".join(f"{it.title} at {it.address}" for it in picture.boxes)
    wrong = [
        said for it in picture.boxes for said in (it.wrong, *(p.wrong for p in it.parts)) if said
    ]
    return f"{picture.subtitle}. {boxes}." + (f" Not working: {', '.join(wrong)}." if wrong else "")
