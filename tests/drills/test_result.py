"""Outcomes as data and as text."""

from __future__ import annotations

import json
from dataclasses import replace

from labctl.drills import DrillResult, DrillVerdict, record_of, render_result, want_drills
from labctl.drills.findings import Hearing, Moment
from labctl.drills.model import Mark, Who
from labctl.report.drill import DrillFinding, DrillRecord

DRILL = want_drills(("bridge-kill",))[0]
RESULT = DrillResult(
    DRILL,
    DrillVerdict.EXPECTED,
    22.41,
    hit=("jvb1",),
    findings=(
        DrillFinding(0, "nobody's stream ends", DrillVerdict.EXPECTED, "'lost' was not seen"),
    ),
    moments=(
        Moment(0, 16.31, Who.CALL, "p1", Mark.TERMINATED),
        Moment(0, 17.82, Who.CALL, "p1", Mark.REINVITED),
    ),
    people=((Who.CALL, "p1"), (Who.CALL, "p2")),
    healthy_after=1.2,
)


def test_plain_data_goes_through_json_and_names_the_weakness() -> None:
    data = json.loads(json.dumps(record_of(RESULT).to_json()))
    assert DrillRecord.from_json(data) == record_of(RESULT)
    assert data["format"] == 1
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
    skipped = DrillResult(DRILL, DrillVerdict.SKIPPED, 0.0, reason="the lab has one bridge only")
    assert render_result(skipped) == "bridge-kill: skipped: the lab has one bridge only"


def test_what_is_left_broken_is_said_loudly() -> None:
    broken = DrillResult(DRILL, DrillVerdict.WORSE, 9.0, left="Node 'jvb1' is gone.")
    assert "LEFT BROKEN: Node 'jvb1' is gone." in render_result(broken)


def hearing(name: str, *, stopped: float = 0.0, back: bool = True, loss: float = 0.0) -> Hearing:
    return Hearing(Who.CALL, name, "audio", stopped, max(stopped, 0.3), back, loss)


def sound(*some: Hearing) -> str:
    text = render_result(replace(RESULT, hearing=some, watched=30.4))
    [line] = [line for line in text.splitlines() if line.startswith("  sound of")]
    return line.partition(": ")[2]


def test_the_figure_that_people_care_about_is_a_line_of_its_own() -> None:
    assert sound(hearing("p1"), hearing("p2")) == "went on for all 2 (longest pause 0.3 s)"
    assert (
        sound(hearing("p1", stopped=2.0), hearing("p2", stopped=2.4), hearing("p3"))
        == "stopped for 2 of 3, 2.0-2.4 s, and came back"
    )
    assert (
        sound(hearing("p1", stopped=30.0, back=False), hearing("p2", stopped=30.0, back=False))
        == "NO SOUND FOR THE REST OF THE CALL for 2 of 2 (watched for 30 s)"
    )
    assert sound(hearing("p1", loss=0.052)).endswith("; up to 5% of the packets lost")


def test_what_is_mended_last_is_not_said_to_be_missing_for_ever() -> None:
    mended = replace(
        RESULT, drill=want_drills(("bridge-last",))[0],
        hearing=(hearing("p1", stopped=9.0, back=False),), watched=40.0,
    )  # fmt: skip
    assert "NO SOUND WHEN THE DRILL ENDED for 1 of 1 (watched for 40 s)" in render_result(mended)


def test_what_was_heard_is_in_the_data() -> None:
    data = record_of(
        replace(RESULT, hearing=(hearing("p1", stopped=2.0),), watched=30.44)
    ).to_json()
    assert data["watched_seconds"] == 30.44
    assert data["media"] == [
        {
            "part": "participants of the call", "name": "p1", "media": "audio", "stopped": 2.0,
            "longest_pause": 2.0, "at_the_end": True, "loss": 0.0,
        }
    ]  # fmt: skip


def test_why_there_is_no_media_is_told_with_address_and_port() -> None:
    why = Moment(0, 15.2, Who.CALL, "p1", Mark.NO_WAY, "127.0.0.2:10000 no check was answered")
    text = render_result(replace(RESULT, moments=(why,)))
    assert "the bridge does not answer 15.2 s: 127.0.0.2:10000 no check was answered" in text


def test_the_outcome_in_which_a_weakness_does_not_show_says_so() -> None:
    race = want_drills(("bridge-kill-restart",))[0]
    weak, strong = race.acts[0].outcomes
    for outcome, words in ((weak, "Upstream's weakness: "), (strong, "did not show this time")):
        found = (DrillFinding(0, outcome.says, DrillVerdict.EXPECTED, "seen"),)
        assert words in render_result(
            DrillResult(race, DrillVerdict.EXPECTED, 40.0, findings=found)
        )


def test_another_verdict_by_the_newest_known_packages_is_told_beside_it() -> None:
    old = replace(RESULT, newest=DrillVerdict.WORSE)
    assert render_result(old).splitlines()[0].endswith("; by the newest known packages: worse")
    assert record_of(old).newest is DrillVerdict.WORSE
    assert record_of(RESULT).newest is None
