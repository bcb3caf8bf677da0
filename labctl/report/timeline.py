"""Drills as timelines: a line per participant and component, from the fault on.

A drill is plain data as `labctl drill run --json` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from labctl.report.svg import WIDTH, drawing, element, line, seconds, shorten, text

LEFT, RIGHT, STEP, TOP = 104.0, 26.0, 22.0, 22.0
BADGE = 16.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Moment:
    """Something seen `at` seconds after the act's beginning."""

    act: int
    at: float
    who: str
    subject: str
    mark: str
    detail: str


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill's result, ready for the page; `pictures` are SVG, one per act with moments."""

    name: str
    title: str
    verdict: str
    seconds: float
    weakness: str
    reason: str
    left: str
    says: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str, str], ...]
    moments: tuple[Moment, ...]
    legend: tuple[tuple[int, str], ...]
    pictures: tuple[tuple[str, str], ...]

    @property
    def bad(self) -> bool:
        """Whether it came out worse than today's upstream, or left a lab that is not healthy."""
        return self.verdict.startswith("worse") or bool(self.left)


def read_drill(data: Mapping[str, Any]) -> Drill:
    """A drill from its plain data; what is missing stays empty."""
    moments = tuple(_moment(item) for item in data.get("timeline") or ())
    marks = list(dict.fromkeys(moment.mark for moment in moments))
    people = [str(item.get("name", "")) for item in data.get("people") or ()]
    healthy = data.get("healthy_after")
    said = {
        "Fault": data.get("fault"),
        "Hit": ", ".join(data.get("hit") or ()),
        "Undone by": data.get("undone"),
        "Watched": data.get("watched"),
        "Upstream today": data.get("upstream"),
        "Repaired": data.get("repaired"),
        "Healthy again": None if healthy is None else f"{seconds(float(healthy))} later",
    }
    acts = sorted({moment.act for moment in moments})
    name = str(data.get("name", "drill"))
    return Drill(
        name=name,
        title=str(data.get("title") or name),
        verdict=str(data.get("verdict", "")),
        seconds=float(data.get("seconds") or 0.0),
        weakness=str(data.get("weakness") or ""),
        reason=str(data.get("reason") or ""),
        left=str(data.get("left") or ""),
        says=tuple((key, str(words)) for key, words in said.items() if words),
        findings=tuple(
            (str(it.get("says", "")), str(it.get("verdict", "")), str(it.get("seen", "")))
            for it in data.get("findings") or ()
        ),
        moments=moments,
        legend=tuple((index + 1, mark) for index, mark in enumerate(marks)),
        pictures=tuple(
            (
                _caption(data, act),
                draw_act(
                    [it for it in moments if it.act == act],
                    people=people,
                    marks=marks,
                    title=f"{name}, step {act + 1}",
                ),
            )
            for act in acts
        ),
    )


def _caption(data: Mapping[str, Any], act: int) -> str:
    acts = data.get("acts") or ()
    if act >= len(acts):
        return f"Step {act + 1}"
    return f"Step {act + 1}: {acts[act].get('fault', '')}: {acts[act].get('where', '')}"


def draw_act(
    moments: Sequence[Moment], *, people: Sequence[str], marks: Sequence[str], title: str
) -> str:
    """One act: first the components to which something happened, then all participants."""
    parts_hit = dict.fromkeys(it.subject for it in moments if it.subject not in people)
    rows = [*parts_hit, *dict.fromkeys(people)]
    longest = max((it.at for it in moments), default=0.0) * 1.05 or 1.0
    tick = next((it for it in TICKS if longest / it <= MOST_TICKS), TICKS[-1])
    room = WIDTH - LEFT - RIGHT
    bottom = TOP + len(rows) * STEP

    def x_of(at: float) -> float:
        return LEFT + room * max(at, 0.0) / longest

    parts = [text(LEFT, 12, "fault", cls="axis", anchor="middle")]
    for index in range(int(longest / tick) + 1):
        x = x_of(index * tick)
        parts.append(line(x, TOP - 4, x, bottom, cls="fault" if index == 0 else "grid"))
        parts.append(text(x, bottom + 14, seconds(index * tick), cls="axis", anchor="middle"))
    for index, row in enumerate(rows):
        y = TOP + index * STEP + STEP / 2
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, cls="lane"))
        parts.append(text(LEFT - 10, y + 4, shorten(row, width=LEFT - 12), anchor="end"))
    taken = dict.fromkeys(rows, LEFT - BADGE)
    told: set[tuple[str, str]] = set()
    for it in sorted(moments, key=lambda moment: moment.at):
        y, x = TOP + rows.index(it.subject) * STEP + STEP / 2, x_of(it.at)
        parts.append(line(x, y - 9, x, y + 9, cls="tick"))
        if (it.subject, it.mark) in told:
            continue
        # What happens at nearly the same time stands side by side; the tick keeps the true time.
        told.add((it.subject, it.mark))
        taken[it.subject] = max(x, taken[it.subject] + BADGE)
        parts.append(_badge(taken[it.subject], y, it, number=marks.index(it.mark) + 1))
    description = "; ".join(f"{it.subject} {it.mark} after {seconds(it.at)}" for it in moments)
    return drawing(parts, height=bottom + 20, title=title, description=description)


def _badge(x: float, y: float, moment: Moment, *, number: int) -> str:
    tip = f"{moment.subject}: {moment.mark} after {seconds(moment.at)} {moment.detail}".strip()
    return element(
        "g",
        element("title", escape(tip))
        + element("circle", cx=x, cy=y, r=7.5, cls=f"badge tone{(number - 1) % 6}")
        + text(x, y + 3.5, str(number), cls="onbadge", anchor="middle"),
    )


def _moment(data: Mapping[str, Any]) -> Moment:
    return Moment(
        act=int(data.get("act", 0)),
        at=float(data["at"]),
        who=str(data.get("part", "")),
        subject=str(data.get("subject") or data.get("part", "")),
        mark=str(data.get("mark", "")),
        detail=str(data.get("detail", "")),
    )
