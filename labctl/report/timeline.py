"""Drills as timelines: a line per participant and component, from the fault on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from labctl.report.drill import DrillRecord, DrillVerdict, MomentRecord
from labctl.report.svg import WIDTH, drawing, element, line, seconds, shorten, text

LEFT, RIGHT, STEP, TOP = 104.0, 26.0, 22.0, 22.0
BADGE = 16.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
MOST_TICKS = 5
STOPPED, BACK = "sound stopped", "sound is back"
"""Marks between which a participant hears nothing: drawn as a bar."""


@dataclass(frozen=True, slots=True)
class DrillView:
    """A drill's record, ready for the page; `pictures` are SVG, one per act with moments."""

    record: DrillRecord
    title: str
    says: tuple[tuple[str, str], ...]
    legend: tuple[tuple[int, str], ...]
    pictures: tuple[tuple[str, str], ...]

    @property
    def look(self) -> str:
        """The class of the page's style sheet."""
        if self.record.bad:
            return "bad"
        return "" if self.record.verdict is DrillVerdict.SKIPPED else "fine"


def is_worse(verdict: DrillVerdict) -> bool:
    """Whether an expectation is to be shown as failed."""
    return verdict is DrillVerdict.WORSE


def view_of(record: DrillRecord) -> DrillView:
    """A drill as the page shows it; what was not recorded is left out."""
    marks = list(dict.fromkeys(moment.mark for moment in record.timeline))
    people = [person.name for person in record.people]
    healthy = record.healthy_after
    said = {
        "Fault": record.fault,
        "Hit": ", ".join(record.hit),
        "Undone by": record.undone,
        "Watched": record.watched,
        "Upstream today": record.upstream,
        "Repaired": record.repaired,
        "Healthy again": "" if healthy is None else f"{seconds(healthy)} later",
    }
    acts = sorted({moment.act for moment in record.timeline})
    return DrillView(
        record=record,
        title=record.title or record.name,
        says=tuple((key, words) for key, words in said.items() if words),
        legend=tuple((index + 1, mark) for index, mark in enumerate(marks)),
        pictures=tuple(
            (
                _caption(record, act),
                draw_act(
                    [it for it in record.timeline if it.act == act],
                    people=people,
                    marks=marks,
                    title=f"{record.name}, step {act + 1}",
                ),
            )
            for act in acts
        ),
    )


def _caption(record: DrillRecord, act: int) -> str:
    if act >= len(record.acts):
        return f"Step {act + 1}"
    return f"Step {act + 1}: {record.acts[act].fault}: {record.acts[act].where}"


def draw_act(
    moments: Sequence[MomentRecord], *, people: Sequence[str], marks: Sequence[str], title: str
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
    for row, since, until in silences(moments):
        y = TOP + rows.index(row) * STEP + STEP / 2
        end = WIDTH - RIGHT if until is None else x_of(until)
        parts.append(line(x_of(since), y, end, y, cls="silence"))
    taken = dict.fromkeys(rows, LEFT - BADGE)
    told: set[tuple[str, str]] = set()
    for it in sorted(moments, key=lambda moment: moment.at):
        y, x = TOP + rows.index(it.subject) * STEP + STEP / 2, x_of(it.at)
        parts.append(line(x, y - 9, x, y + 9, cls="tick"))
        if (it.subject, it.mark) in told:
            continue
        # What happens at nearly the same time is drawn side by side; the tick keeps the true time.
        told.add((it.subject, it.mark))
        taken[it.subject] = max(x, taken[it.subject] + BADGE)
        parts.append(_badge(taken[it.subject], y, it, number=marks.index(it.mark) + 1))
    description = "; ".join(f"{it.subject} {it.mark} after {seconds(it.at)}" for it in moments)
    return drawing(parts, height=bottom + 20, title=title, description=description)


def silences(moments: Sequence[MomentRecord]) -> list[tuple[str, float, float | None]]:
    """Who heard nothing, from when to when within an act; None: to its end."""
    found: list[tuple[str, float, float | None]] = []
    open_: dict[str, float] = {}
    for it in sorted(moments, key=lambda moment: moment.at):
        if it.mark == STOPPED:
            open_.setdefault(it.subject, it.at)
        elif it.mark == BACK and it.subject in open_:
            found.append((it.subject, open_.pop(it.subject), it.at))
    return [*found, *((name, since, None) for name, since in open_.items())]


def _badge(x: float, y: float, moment: MomentRecord, *, number: int) -> str:
    tip = f"{moment.subject}: {moment.mark} after {seconds(moment.at)} {moment.detail}".strip()
    return element(
        "g",
        element("title", escape(tip))
        + element("circle", cx=x, cy=y, r=7.5, cls=f"badge tone{(number - 1) % 6}")
        + text(x, y + 3.5, str(number), cls="onbadge", anchor="middle"),
    )
