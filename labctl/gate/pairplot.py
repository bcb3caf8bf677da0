"""Timings as a drawing: each pair of runs is two dots and the line between them.

Every figure is shown as a multiple of what the baseline usually takes, so that a start of one
second and a phase of thirty can be compared by eye.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from statistics import median

from labctl.gate.certainty import WORSE_RATIO, Pair, TimingVerdict
from labctl.gate.timing import Timing
from labctl.report.svg import (
    CHARACTER,
    WIDTH,
    drawing,
    element,
    line,
    mark,
    seconds,
    shorten,
    text,
)

SIDE, TOP = 6.0, 2.0
HEAD, STEP, GAP = 13.0, 5.0, 5.0
"""A figure has a line of text, a line of its own for each pair, and a gap below."""
LEAST, MOST = 0.5, 2.0
"""The ends of the axis; what lies beyond is drawn at the end."""
TICKS = (0.5, 0.75, 1.0, 1.5, 2.0)
TOLD = {
    TimingVerdict.SLOWER: "broken",
    TimingVerdict.UNCLEAR: "unclear",
    TimingVerdict.FASTER: "better",
    TimingVerdict.SAME: "small",
    TimingVerdict.NOT_JUDGED: "small",
}


def draw_pairs(timings: Sequence[Timing]) -> str:
    """The drawing; empty without pairs."""
    rows = [timing for timing in timings if timing.pairs and median(timing.baseline) > 0]
    if not rows:
        return ""
    parts, top = [], TOP
    for timing in rows:
        parts += _row(timing, top)
        top += HEAD + STEP * len(timing.pairs) + GAP
    said = "; ".join(f"{timing.phase}: {_says(timing)}, {timing.verdict}" for timing in rows)
    title = "Timings of candidate and baseline, pair by pair"
    parts = [_band(top), *_axis(top), *parts]
    return drawing(parts, height=top + 16, title=title, description=said)


def _x(ratio: float) -> float:
    """The place of a multiple; the axis is logarithmic."""
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return SIDE + (WIDTH - 2 * SIDE) * share


def _band(bottom: float) -> str:
    """Where a difference is too small to matter, whatever its certainty."""
    left, right = _x(1 / WORSE_RATIO), _x(WORSE_RATIO)
    return element("rect", x=left, y=TOP, width=right - left, height=bottom - TOP, cls="band")


def _axis(bottom: float) -> list[str]:
    parts = []
    for tick in TICKS:
        anchor = {LEAST: "start", MOST: "end"}.get(tick, "middle")
        x = {LEAST: 0.0, MOST: float(WIDTH)}.get(tick, _x(tick))
        parts.append(line(_x(tick), TOP, _x(tick), bottom, cls="grid"))
        parts.append(text(x, bottom + 11, f"{tick:g}x", cls="axis", anchor=anchor))
    return parts


def _row(timing: Timing, top: float) -> list[str]:
    usual = median(timing.baseline)
    says = f"{_says(timing)}, {timing.verdict}"
    room = WIDTH - CHARACTER * len(says)
    return [
        text(0, top + 10, shorten(timing.phase, width=room)),
        text(WIDTH, top + 10, says, cls=TOLD[timing.verdict], anchor="end"),
        *(
            _pair(pair, top + HEAD + STEP * number + STEP / 2, usual)
            for number, pair in enumerate(timing.pairs)
        ),
    ]


def _pair(pair: Pair, y: float, usual: float) -> str:
    old, new = _x(pair.baseline / usual), _x(pair.candidate / usual)
    said = f"candidate {seconds(pair.candidate)}, baseline {seconds(pair.baseline)}"
    if not pair.counts:
        said += ", does not count"
    content = [
        element("title", escape(said)),
        line(old, y, new, y, cls="wire"),
        element("circle", cx=old, cy=y, r=2.6, cls="was"),
        mark(new, y, bad=False, says=said),
    ]
    return element("g", "".join(content), cls="pair" if pair.counts else "pair faint")


def _says(timing: Timing) -> str:
    """Medians: baseline, then candidate."""
    old, new = median(timing.baseline), median(timing.candidate)
    digits = 1 if max(old, new) >= 1 else 2
    return f"{old:.{digits}f} → {new:.{digits}f} s"
