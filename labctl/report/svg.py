"""Small pieces of SVG as text.  Colours are CSS classes of the page, so they follow its theme.

Drawings are 360 units wide, so that a phone shows them at about one pixel a unit: text of 11
units stays readable there.  Everything that is not a number goes through `escape`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 360
CHARACTER = 6.8
"""Width of an average character of 11 units in a wide font, for what must fit."""


def number(value: float) -> str:
    """A coordinate without needless digits."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", **attributes: float | str) -> str:
    """An element; `_` in an attribute's name is `-`, `cls` is `class`."""
    words = [
        f"{'class' if key == 'cls' else key.replace('_', '-')}="
        f'"{escape(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    ]
    return f"<{' '.join([name, *words])}>{content}</{name}>"


def text(x: float, y: float, words: str, *, cls: str = "", anchor: str = "start") -> str:
    return element("text", escape(words), x=x, y=y, cls=cls or "plain", text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, *, cls: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def box(x: float, y: float, width: float, height: float, *, cls: str, round_: float = 6) -> str:
    return element("rect", x=x, y=y, width=width, height=height, rx=round_, cls=cls)


def shorten(words: str, *, width: float) -> str:
    """As many characters as fit into `width` units, the end marked where some do not."""
    most = max(1, int(width / CHARACTER))
    return words if len(words) <= most else words[: most - 1] + "…"


def drawing(parts: Iterable[str], *, height: float, title: str, description: str) -> str:
    """The whole picture; `title` and `description` are what a screen reader says."""
    head = element("title", escape(title)) + element("desc", escape(description))
    return element(
        "svg",
        head + "".join(parts),
        viewBox=f"0 0 {WIDTH} {number(height)}",
        role="img",
        aria_label=f"{title}. {description}",
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length, and the words behind it."""

    label: str
    value: float
    says: str
    cls: str = "bar"


def bars(rows: Sequence[Bar], *, title: str) -> str:
    """Horizontal bars from zero, the longest as long as there is room."""
    # Long names stand above their bars, short ones before them.
    above = max((len(row.label) for row in rows), default=0) * CHARACTER > 80
    left, right, step = (0.0, 60.0, 36.0) if above else (86.0, 60.0, 22.0)
    most = max((row.value for row in rows), default=0.0) or 1.0
    parts = []
    for index, row in enumerate(rows):
        y = (index + 1) * step - 22
        length = max(1.5, (WIDTH - left - right) * row.value / most)
        parts += [
            text(0, y, shorten(row.label, width=WIDTH))
            if above
            else text(left - 6, y + 15, row.label, anchor="end"),
            box(left, y + 6, length, 11, cls=row.cls, round_=2),
            text(left + length + 5, y + 15, row.says, cls="value"),
        ]
    description = "; ".join(f"{row.label}: {row.says}" for row in rows)
    return drawing(parts, height=len(rows) * step + 4, title=title, description=description)


@dataclass(frozen=True, slots=True)
class Dot:
    """One measurement on a line of dots; `bad` ones are crosses."""

    value: float
    bad: bool
    says: str


def dots(rows: Sequence[tuple[str, str, Sequence[Dot]]], *, title: str) -> str:
    """A line of dots per row (name, words at the end, dots) over seconds, logarithmic."""
    left, right, step, top = 84.0, 82.0, 24.0, 6.0
    values = [dot.value for _, _, found in rows for dot in found]
    low = math.floor(math.log10(max(0.001, min(values, default=0.01))))
    high = max(low + 1, math.ceil(math.log10(max(0.001, *values, 0.01))))
    room = WIDTH - left - right

    def x_of(value: float) -> float:
        return left + room * (math.log10(max(value, 10**low)) - low) / (high - low)

    bottom = top + len(rows) * step
    parts = []
    for power in range(low, high + 1):
        x = x_of(10.0**power)
        parts.append(line(x, top, x, bottom, cls="grid"))
        parts.append(text(x, bottom + 14, seconds(10.0**power), cls="axis", anchor="middle"))
    for index, (label, says, found) in enumerate(rows):
        y = top + index * step + step / 2
        parts.append(text(left - 8, y + 4, shorten(label, width=left - 8), anchor="end"))
        parts.append(text(WIDTH - right + 10, y + 4, says, cls="value"))
        for place, dot in enumerate(found):
            # Alike ones would hide each other: they alternate a little around the line.
            shifted = y + (place * 2 % 5 - 2) * 2.4 * (len(found) > 1)
            parts.append(mark(x_of(dot.value), shifted, bad=dot.bad, says=dot.says))
    description = "; ".join(f"{label}: {says}" for label, says, _ in rows)
    return drawing(parts, height=bottom + 20, title=title, description=description)


def mark(x: float, y: float, *, bad: bool, says: str, cls: str = "dot") -> str:
    """A dot, or a cross for what is bad: told apart without colours, too."""
    tip = element("title", escape(says))
    if not bad:
        return element("circle", tip, cx=x, cy=y, r=3.2, cls=cls)
    a, b, c, d = (number(value) for value in (x - 4, x + 4, y - 4, y + 4))
    return element("path", tip, d=f"M{a} {c}L{b} {d}M{a} {d}L{b} {c}", cls="cross")


def seconds(value: float) -> str:
    """A duration for people, in the unit that fits it."""
    if value < 0.001:
        return "<1 ms" if value else "0 s"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 600:
        return f"{value:.1f} s" if value < 10 and value != int(value) else f"{value:.0f} s"
    return f"{value / 60:.0f} min"
