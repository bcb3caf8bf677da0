"""Figures of a blip, from participants' events."""

from __future__ import annotations

import pytest

from labctl.crowd import Event, Kind, View
from labctl.drills.blip import Blip, Loss, blip_to_json, is_out, measure, percentile
from labctl.drills.heal import Health


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
    assert blip_to_json(Blip("stop", 4, 2, (fine,), Health(1.0)))["seconds"]["max"] == 1.0
