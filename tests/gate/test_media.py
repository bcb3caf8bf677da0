"""Media of two sides: what is worth a word, and what is noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.gate.compare import judge_gate
from labctl.gate.media import OF_CALL, compare_media, render_media, with_drills
from labctl.gate.model import Gate, GateVerdict, MediaFigures, Severity
from labctl.report.drill import DrillRecord, DrillVerdict, HeardRecord, drills_to_json
from tests.gate.sides import make_side

QUICK = (0.10, 0.12, 0.11, 0.15, 0.13)
SLOW = (1.9, 2.1, 2.0, 2.2, 1.8)


def heard(stopped: float, *, part: str = OF_CALL, back: bool = True) -> HeardRecord:
    return HeardRecord(part, "p", "audio", stopped, stopped, back)


def test_sound_that_comes_much_later_each_time_is_worth_a_look() -> None:
    [finding] = compare_media(MediaFigures(SLOW), MediaFigures(QUICK))
    assert (finding.subject, finding.severity) == ("first sound", Severity.ATTENTION)
    assert finding.text == "longer: 2.00 s (1.80-2.20) against 0.12 s (0.10-0.15)"
    [finding] = compare_media(MediaFigures(QUICK), MediaFigures(SLOW))
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ((*SLOW, 0.14), QUICK),
        ((0.5, 0.6, 0.55), (0.2, 0.3, 0.25)),
        (SLOW[:2], QUICK),
        (SLOW, ()),
    ],
    ids=["ranges-meet", "too-little-to-matter", "too-few", "none"],
)
def test_noise_is_no_finding(new: tuple[float, ...], old: tuple[float, ...]) -> None:
    assert list(compare_media(MediaFigures(new), MediaFigures(old))) == []
    assert list(compare_media(None, MediaFigures(QUICK))) == []


def test_what_drills_say_of_the_call_is_taken_in(tmp_path: Path) -> None:
    media = (heard(2.0), heard(2.5), heard(9.0, part="participants of other calls"))
    records = [
        DrillRecord("failover", DrillVerdict.EXPECTED, 30.0, media=media),
        DrillRecord("bridge-hang", DrillVerdict.EXPECTED, 90.0, media=(heard(40.0, back=False),)),
        DrillRecord("prosody-restart", DrillVerdict.EXPECTED, 9.0),
    ]
    file = tmp_path / "drills.json"
    assert with_drills(MediaFigures(QUICK), file) == MediaFigures(QUICK)
    file.write_text(json.dumps(drills_to_json(records)))
    found = with_drills(MediaFigures(QUICK), file)
    assert found.silences == {"failover": (2.0, 2.5), "bridge-hang": (40.0,)}
    assert found.mute == {"bridge-hang": 1}
    assert render_media(found) == (
        "sound after 0.12 s (0.10-0.15), silent for 2.25 s (2.00-2.50) in failover"
    )


def test_whoever_hears_nothing_any_more_is_named_where_the_baseline_heard() -> None:
    old = MediaFigures(QUICK, {"failover": (2.0, 2.1, 2.2)})
    new = MediaFigures(QUICK, {"failover": (2.0, 2.1, 2.2)}, {"failover": 3})
    [finding] = compare_media(new, old)
    assert finding.text.startswith("3 heard nothing when the drill ended")


def test_media_alone_fails_nobody_and_is_kept_in_the_gates_json() -> None:
    gate = judge_gate(
        make_side(media=MediaFigures(SLOW, {"failover": (9.0, 9.1, 9.2)})),
        make_side("baseline", media=MediaFigures(QUICK, {"failover": (2.0, 2.1, 2.2)})),
    )
    assert gate.word is GateVerdict.PASS
    assert [each.subject for each in gate.findings] == ["first sound", "silence in failover"]
    assert (
        Gate.from_json(json.loads(json.dumps(gate.to_json()))).candidate.media
        == gate.candidate.media
    )
