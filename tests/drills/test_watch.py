"""Clocks and participants' events, as marks on one clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from labctl.crowd import Event, Kind
from labctl.drills.model import Mark, Who
from labctl.drills.watch import NodeClock, marks_of

NOON = datetime(2026, 11, 21, 12)


def test_bounds_of_several_samples_are_narrower_than_one() -> None:
    """The node's clock shows noon when ours shows 100; answers take long in different places."""
    clock = NodeClock()
    clock.learn(NOON, asked=99.99, answered=100.4)
    clock.learn(NOON + timedelta(seconds=1), asked=100.6, answered=101.01)
    assert clock.monotonic(NOON + timedelta(seconds=5)) == pytest.approx(105.0, abs=0.011)


def test_a_clock_that_was_set_is_learned_anew() -> None:
    clock = NodeClock()
    clock.learn(NOON, asked=100.0, answered=100.01)
    later = NOON + timedelta(seconds=600)
    clock.learn(later, asked=101.0, answered=101.01)
    assert clock.monotonic(later) == pytest.approx(101.0, abs=0.01)


def test_a_participants_events_become_marks() -> None:
    events = [
        Event(Kind.JOINED, 1.0),
        Event(Kind.TERMINATED, 2.0, {"reason": "success"}),
        Event(Kind.MESSAGE, 3.0, {"body": "hello"}),
        Event(Kind.MESSAGE, 4.0, {"body": "something else"}),
        Event(Kind.LOST, 5.0, {"reason": "closed"}),
    ]
    found = marks_of(events, who=Who.CALL, subject="p1", said="hello")
    assert [(each.at, each.mark) for each in found] == [
        (2.0, Mark.TERMINATED),
        (3.0, Mark.HEARD),
        (5.0, Mark.LOST),
    ]


def test_what_a_participants_ice_says_names_bridge_address_and_reason() -> None:
    details = {"bridge": "jvb1", "address": "10.0.0.1", "port": "10000", "reason": "silent"}
    [seen] = marks_of([Event(Kind.MEDIA_FAILED, 1.0, details)], who=Who.CALL, subject="p1")
    assert (seen.mark, seen.detail) == (Mark.NO_WAY, "jvb1 10.0.0.1:10000 silent")
