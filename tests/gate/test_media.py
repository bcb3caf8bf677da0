"""Media of two sides: what is worth a word, and what is noise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from labctl.crowd import Target
from labctl.crowd.media import MediaKind
from labctl.gate import media
from labctl.gate.compare import judge_gate
from labctl.gate.media import OF_CALL, compare_media, measure_media, render_media, with_drills
from labctl.gate.model import Gate, GateFinding, GateVerdict, MediaFigures, Severity
from labctl.report.drill import DrillRecord, DrillVerdict, HeardRecord, drills_to_json
from labctl.topology.lab import Lab
from tests.gate.calls import FakeCalls
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


def test_five_calls_of_two_are_measured_by_whoever_heard_something_first(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = FakeCalls([(0.9, 0.12345), (0.2, 0.3), (None, 7.0), (None, None), (4.0, 3.0)])
    monkeypatch.setattr(media, "crowd_in", calls.crowd_in)
    assert measure_media(lab).first_sound == (0.123, 0.2, 7.0, 20.0, 3.0)
    assert calls.ended == 5
    assert all(re.fullmatch(r"gate-[0-9a-f]{8}", room) for room in calls.rooms)
    assert len(set(calls.rooms)) == 5
    address = Target.of(lab).address
    assert calls.asked[:3] == [("in", address, MediaKind.AUDIO), ("join", 2, 20.0), ("wait", 20.0)]


def test_only_sound_of_the_call_counts(tmp_path: Path) -> None:
    other = HeardRecord(OF_CALL, "p", "video", 50.0, 50.0, False)
    elsewhere = heard(60.0, part="participants of other calls", back=False)
    silent = DrillRecord("a", DrillVerdict.EXPECTED, 9.0, media=(other, elsewhere))
    mute = DrillRecord(
        "b", DrillVerdict.EXPECTED, 9.0, media=(heard(4.0, back=False), heard(5.0, back=False))
    )
    file = tmp_path / "drills.json"
    file.write_text(json.dumps(drills_to_json([silent, mute])))
    found = with_drills(MediaFigures(QUICK), file)
    assert found == MediaFigures(QUICK, {"b": (4.0, 5.0)}, {"b": 2})


@pytest.mark.parametrize(
    ("new", "old", "found"),
    [
        (1.5, 1.0, False),
        (1.6, 1.0, True),
        (3.0, 2.0, False),
        (3.1, 2.0, True),
        (1.0, 0.5, False),
        (1.1, 0.5, True),
    ],
)
def test_longer_is_by_more_than_half_as_much_and_more_than_half_a_second(
    new: float, old: float, found: bool
) -> None:
    assert bool(list(compare_media(MediaFigures((new,) * 3), MediaFigures((old,) * 3)))) is found
    assert bool(list(compare_media(MediaFigures((old,) * 3), MediaFigures((new,) * 3)))) is found


@pytest.mark.parametrize(("least", "found"), [(2.0, False), (2.1, True)])
def test_ranges_that_touch_are_noise(least: float, found: bool) -> None:
    new, old = MediaFigures((least, 5.0, 5.0)), MediaFigures((1.0, 1.0, 2.0))
    assert bool(list(compare_media(new, old))) is found


def test_both_directions_are_told_with_their_figures() -> None:
    [finding] = compare_media(MediaFigures(QUICK), MediaFigures(SLOW))
    assert finding == GateFinding(
        "media", "first sound", Severity.INFO,
        "shorter: 0.12 s (0.10-0.15) against 2.00 s (1.80-2.20)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("silences", "mute", "told"),
    [
        ({"failover": (2.0,)}, {}, True),
        ({"failover": (2.0,)}, {"failover": 1}, False),
        ({}, {}, False),
    ],
    ids=["all heard", "some did not", "no such drill"],
)
def test_mute_participants_are_told_only_where_the_baseline_had_none(
    silences: dict[str, tuple[float, ...]], mute: dict[str, int], told: bool
) -> None:
    new = MediaFigures(QUICK, {"failover": (2.0,)}, {"failover": 2})
    found = list(compare_media(new, MediaFigures(QUICK, silences, mute)))
    text = "2 heard nothing when the drill ended; the baseline left nobody mute"
    assert found == (
        [GateFinding("media", "failover", Severity.ATTENTION, text)] if told else []
    )  # fmt: skip


def test_a_drill_of_the_candidate_alone_is_no_finding() -> None:
    new = MediaFigures(QUICK, {"other": (9.0, 9.0, 9.0), "failover": (9.0, 9.1, 9.2)})
    old = MediaFigures(QUICK, {"failover": (2.0, 2.1, 2.2)})
    [finding] = compare_media(new, old)
    assert finding.subject == "silence in failover"
    assert finding.text == "longer: 9.10 s (9.00-9.20) against 2.10 s (2.00-2.20)"


def test_one_side_in_a_line() -> None:
    assert render_media(None) == "not tried"
    assert render_media(MediaFigures(silences={"failover": (2.0,)})) == "not tried"
    assert render_media(MediaFigures(QUICK)) == "sound after 0.12 s (0.10-0.15)"
