"""Curves in the terminal, by plotille; each has a mark of its own where there are no colours."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import cycle

from labctl.report.curves import Curve, clock, figure, frame_of

AXIS = 24
"""Columns beside the curves: figures before them, the name of the axis behind."""
NARROWEST, HEIGHT = 30, 12
MARKS = "oxvs*+#@"
COLOURS = ("blue", "yellow", "green", "red", "magenta", "cyan", "white")


def plot_curves(curves: Sequence[Curve], *, began: float, ended: float, colour: bool) -> str:
    """The curves over a time, as wide as the terminal, with a legend below."""
    import plotille

    frame = frame_of(curves, began=began, ended=ended)
    whole = plotille.Figure()
    whole.width = max(NARROWEST, shutil.get_terminal_size().columns - AXIS)
    whole.height = HEIGHT
    whole.with_colors = colour
    whole.x_label, whole.y_label = "time", "value"
    whole.x_ticks_fkt = lambda least, _: clock(least)
    whole.y_ticks_fkt = lambda least, _: figure(least)
    whole.set_x_limits(frame.began, frame.ended)
    whole.set_y_limits(frame.least, frame.most)
    for curve, mark, lc in zip(curves, cycle(MARKS), cycle(COLOURS), strict=False):
        if curve.points:
            times, values = zip(*curve.points, strict=True)
            own = None if colour or len(curves) == 1 else mark
            whole.plot(times, values, lc=lc if colour else None, label=curve.name, marker=own)
    legend = (
        _legend(curve, mark)
        for curve, mark in zip(curves, cycle(" " if len(curves) == 1 else MARKS), strict=False)
    )
    return "\n".join([str(whole.show()), "", *legend])


def _legend(curve: Curve, mark: str) -> str:
    """A curve in words: with its figures, and when it was there."""
    if not curve.points:
        return f"  {mark} {curve.name}: no figures"
    first, last = (clock(curve.points[place][0]) for place in (0, -1))
    return f"  {mark} {curve.name}: {curve.says}, {first} to {last}"
