"""Timelines of drills: what was heard, as bars and words."""

from __future__ import annotations

from labctl.report.drill import MomentRecord
from labctl.report.timeline import draw_act, silences


def moment(at: float, subject: str, mark: str) -> MomentRecord:
    return MomentRecord(0, at, "call", subject, mark, "")


HEARD = [
    moment(3.0, "p1", "sound is back"),
    moment(0.5, "p1", "sound stopped"),
    moment(0.6, "p2", "sound stopped"),
    moment(1.0, "p2", "terminated"),
    moment(9.0, "p1", "sound stopped"),
    moment(2.0, "p3", "sound is back"),
]


def test_a_bar_reaches_from_the_stop_to_what_ended_it_or_to_the_end() -> None:
    assert silences(HEARD) == [("p1", 0.5, 3.0), ("p2", 0.6, None), ("p1", 9.0, None)]


def test_every_silence_is_drawn() -> None:
    marks = list(dict.fromkeys(each.mark for each in HEARD))
    drawn = draw_act(HEARD, people=["p1", "p2", "p3"], marks=marks, title="drill")
    assert drawn.count('class="silence"') == 3
