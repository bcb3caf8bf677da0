"""Figures of a blip, from participants' events."""

from __future__ import annotations

import json

import pytest

from labctl.crowd import Event, Kind, View
from labctl.drills.blip import (
    Blip,
    Loss,
    is_out,
    measure,
    measure_sound,
    percentile,
    record_blip,
    render_loss,
)
from labctl.drills.heal import Health
from labctl.report.blip import BlipRecord
from tests.drills.hearing import source
from tests.drills.hearing import view as hears


def view(*events: tuple[Kind, float]) -> View:
    return View(
        nick="p", room="r", state="joined", jid=None, vnode=None, role=None, affiliation=None,
        occupants={}, sid=None, bridge_session=None, region=None, conference={},
        events=tuple(Event(kind, at) for kind, at in events),
    )  # fmt: skip


STARTED = (Kind.ACCEPTED, 1.0)
CALM = view(STARTED)
MOVED = view(STARTED, (Kind.TERMINATED, 100.2), (Kind.REINVITED, 101.4), (Kind.ACCEPTED, 101.5))
TWICE = view(STARTED, (Kind.TERMINATED, 100.2), (Kind.ACCEPTED, 100.9), (Kind.TERMINATED, 101.0),
             (Kind.ACCEPTED, 103.0))  # fmt: skip
OUT = view(STARTED, (Kind.TERMINATED, 100.2))


def test_a_loss_counts_who_was_interrupted_and_for_how_long() -> None:
    loss = measure("jvb1", [CALM, MOVED, TWICE, OUT], since=100.0, back_after=2.0)
    assert loss.interrupted == 3
    assert loss.gone == 1
    assert loss.share == pytest.approx(0.75)
    assert loss.seconds == pytest.approx((1.5, 3.0))


def test_what_happened_before_does_not_count() -> None:
    assert measure("jvb1", [MOVED], since=200.0, back_after=1.0).interrupted == 0


def test_somebody_is_out_until_the_focus_took_the_accept() -> None:
    assert not is_out(CALM, since=100.0)
    assert not is_out(MOVED, since=100.0)
    assert is_out(OUT, since=100.0)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 5.0), (0.9, 9.0), (0.95, 10.0), (1.0, 10.0)],
    ids=["half", "p90", "p95", "max"],
)
def test_percentiles_are_values_that_were_seen(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(10, 0, -1)], share) == expected


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_a_blip_is_good_when_everybody_is_back_and_the_lab_is_healthy() -> None:
    fine, gone = Loss("jvb", 4, (1.0,), 0, 2.0), Loss("jvb", 4, (), 1, 2.0)
    assert Blip("stop", 4, 2, (fine,), Health(1.0)).good
    assert not Blip("stop", 4, 2, (fine, gone), Health(1.0)).good
    assert not Blip("stop", 4, 2, (fine,), Health(None, left="broken")).good
    record = record_blip(Blip("stop", 4, 2, (fine, gone), Health(1.0)))
    assert record.seconds["max"] == 1.0
    assert BlipRecord.from_json(json.loads(json.dumps(record.to_json()))) == record
    assert (record.to_json()["format"], record.good) == (1, False)


def test_a_loss_says_for_how_long_sound_stopped_and_who_is_mute() -> None:
    sources = (source(), source((100.2, 2.5)), source(last_at=101.0))
    loss = measure("jvb1", [MOVED], since=100.0, back_after=1.0)
    loss = measure_sound(loss, [hears(one) for one in sources], since=100.0)
    assert loss.sound == pytest.approx((0.0, 2.5))
    assert (loss.mute, loss.listening) == (1, 3)
    words = "sound paused for 2.5 s at most, 1 of 3 MUTE SINCE; bridge back"
    assert words in render_loss(loss)


def test_whoever_is_in_a_call_and_hears_nothing_makes_a_blip_bad() -> None:
    mute = Loss("jvb", 4, (1.0,), 0, 2.0, sound=(2.0,), mute=1, listening=2)
    blip = Blip("stop", 4, 2, (mute,), Health(1.0))
    assert not blip.good
    assert record_blip(blip).losses[0].mute == 1
    assert record_blip(blip).sound_paused["max"] == 2.0
