"""Outcomes as data and as text."""

from __future__ import annotations

import json

from labctl.drills import DrillResult, Verdict, render_result, result_to_json, want_drills
from labctl.drills.model import Finding, Mark, Moment, Who

DRILL = want_drills(("bridge-kill",))[0]
RESULT = DrillResult(
    DRILL,
    Verdict.EXPECTED,
    22.41,
    hit=("jvb1",),
    findings=(Finding(0, "nobody's stream ends", Verdict.EXPECTED, "'lost' was not seen"),),
    moments=(
        Moment(0, 16.31, Who.CALL, "p1", Mark.TERMINATED),
        Moment(0, 17.82, Who.CALL, "p1", Mark.REINVITED),
    ),
    people=((Who.CALL, "p1"), (Who.CALL, "p2")),
    healthy_after=1.2,
)


def test_plain_data_goes_through_json_and_names_the_weakness() -> None:
    data = json.loads(json.dumps(result_to_json(RESULT)))
    assert data["verdict"] == "as expected"
    assert "15 s" in data["weakness"]
    assert data["timeline"][0] == {
        "act": 0,
        "at": 16.31,
        "part": "participants of the call",
        "subject": "p1",
        "mark": "terminated",
        "detail": "",
    }
    assert data["people"][1] == {"part": "participants of the call", "name": "p2"}


def test_text_begins_with_the_verdict_and_shows_everybody() -> None:
    text = render_result(RESULT)
    assert text.splitlines()[0] == "bridge-kill: as expected (22 s, healthy 1.2 s later)"
    assert "p1             terminated 16.3 s · re-invited 17.8 s" in text
    assert "p2             nothing" in text
    assert "Upstream's weakness: Nobody notices" in text


def test_what_was_skipped_is_one_line_with_the_reason() -> None:
    skipped = DrillResult(DRILL, Verdict.SKIPPED, 0.0, reason="the lab has one bridge only")
    assert render_result(skipped) == "bridge-kill: skipped: the lab has one bridge only"


def test_what_is_left_broken_is_said_loudly() -> None:
    broken = DrillResult(DRILL, Verdict.WORSE, 9.0, left="Node 'jvb1' is gone.")
    assert "LEFT BROKEN: Node 'jvb1' is gone." in render_result(broken)
