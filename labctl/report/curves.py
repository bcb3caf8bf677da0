"""Curves over time as a drawing: one line per series, with a scale and its end values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labctl.report.svg import WIDTH, drawing, element, line, shorten, text

LEFT, RIGHT, TOP, HEIGHT = 44.0, 8.0, 8.0, 150.0
STEP = 15.0
"""A line of the legend."""
ROOM = 1.08
"""The scale ends a little above the largest value, so that its line can be seen."""
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#db2777", "#65a30d")
DASHES = ("none", "6 3", "2 3", "8 3 2 3")
"""Curves are told apart without colours, too."""
STYLE = """
svg { font: 11px sans-serif; background: #fff; color: #1f2328 }
text { fill: currentColor } .axis { opacity: .7 }
.grid { stroke: currentColor; opacity: .2 } .curve { fill: none; stroke-width: 1.6 }
@media (prefers-color-scheme: dark) { svg { background: #16181d; color: #e6e6e6 } }
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: its name, and pairs of seconds since 1970 and a value, in the order of time."""

    name: str
    points: Sequence[tuple[float, float]]

    @property
    def says(self) -> str:
        """The least, the largest and the last value."""
        values = [value for _, value in self.points]
        if not values:
            return "no figures"
        return f"{figure(min(values))} to {figure(max(values))}, last {figure(values[-1])}"


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the world that is shown."""

    began: float
    ended: float
    least: float
    most: float

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.began) / (self.ended - self.began)

    def y(self, value: float) -> float:
        return TOP + HEIGHT * (self.most - value) / (self.most - self.least)


def frame_of(curves: Sequence[Curve], *, began: float, ended: float) -> Frame:
    """A frame in which every curve fits; it holds zero, because heights are compared by eye."""
    values = [value for curve in curves for _, value in curve.points]
    least, most = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    if least == most:
        most = least + 1
    return Frame(began, max(ended, began + 1), least * ROOM, most * ROOM)


def draw_curves(curves: Sequence[Curve], *, title: str, began: float, ended: float,
                gap: float) -> str:  # fmt: skip
    """A page's drawing, with its own style: it can be opened as a file.

    A line is broken where two figures are more than `gap` seconds apart.
    """
    frame = frame_of(curves, began=began, ended=ended)
    bottom = TOP + HEIGHT
    parts = [element("style", STYLE), *_grid(frame)]
    for index, curve in enumerate(curves):
        parts.append(_curve(curve, frame, index, gap))
        parts += _legend(curve, index, bottom + 32 + STEP * index)
    said = "; ".join(f"{curve.name}: {curve.says}" for curve in curves)
    whole = drawing(parts, height=bottom + 30 + STEP * len(curves), title=title, description=said)
    return whole.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def runs_of(curve: Curve, *, gap: float) -> list[list[tuple[float, float]]]:
    """The figures of a curve without the gaps, in which nothing was known."""
    found: list[list[tuple[float, float]]] = []
    for at, value in curve.points:
        if not found or at - found[-1][-1][0] > gap:
            found.append([])
        found[-1].append((at, value))
    return found


def figure(value: float) -> str:
    """A value as people read it."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10:
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


def clock(at: float) -> str:
    """The time of day here."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def _grid(frame: Frame) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        value = frame.least + (frame.most - frame.least) * share / ROOM
        y = frame.y(value)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, cls="grid"))
        parts.append(text(LEFT - 4, y + 4, figure(value), cls="axis", anchor="end"))
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = frame.began + (frame.ended - frame.began) * share
        parts.append(text(frame.x(at), TOP + HEIGHT + 14, clock(at), cls="axis", anchor=anchor))
    return parts


def _curve(curve: Curve, frame: Frame, index: int, gap: float) -> str:
    path = "".join(
        "M" + "L".join(f"{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in each)
        + ("h0.1" if len(each) == 1 else "")
        for each in runs_of(curve, gap=gap)
    )  # fmt: skip
    return element(
        "path",
        element("title", escape(f"{curve.name}: {curve.says}")),
        d=path,
        cls="curve",
        **_stroke(index),
    )


def _stroke(index: int) -> dict[str, str]:
    return {
        "stroke": COLOURS[index % len(COLOURS)],
        "stroke_dasharray": DASHES[index % len(DASHES)],
    }


def _legend(curve: Curve, index: int, y: float) -> list[str]:
    says = curve.says
    return [
        element("path", d=f"M0 {y - 4:.1f}h22", cls="curve", **_stroke(index)),
        text(28, y, shorten(curve.name, width=WIDTH - 28 - 7 * len(says))),
        text(WIDTH, y, says, cls="value", anchor="end"),
    ]
