"""From gaps to when sound stopped and came back, on the clock of a drill's acts."""

from __future__ import annotations

import pytest

from labctl.drills.model import Mark, Who
from labctl.drills.silence import Count, Span, hearing_of, marks_of_silence, silences
from tests.drills.hearing import NOW, source, view


def test_short_pauses_are_no_silence_however_many() -> None:
    choppy = source(*((100 + n, 0.8) for n in range(20)))
    assert silences(view(choppy), "audio", since=95.0) == []


def test_whoever_misses_one_of_two_misses_something() -> None:
    heard = view(source((100.0, 3.0)), source((101.0, 4.0), owner="c"))
    assert silences(heard, "audio", since=95.0) == [Span(100.0, 105.0)]


def test_sound_that_comes_back_for_a_moment_only_is_not_back() -> None:
    heard = view(source((100.0, 3.0), (103.5, 2.0)))
    assert silences(heard, "audio", since=95.0) == [Span(100.0, 105.5)]
    heard = view(source((100.0, 3.0), (104.5, 2.0)))
    assert silences(heard, "audio", since=95.0) == [Span(100.0, 103.0), Span(104.5, 106.5)]


def test_a_silence_that_lasts_has_no_end() -> None:
    assert silences(view(source(last_at=120.0)), "audio", since=95.0) == [Span(120.0, None)]
    both = view(source((119.0, 2.0)), source(owner="c", last_at=120.0))
    assert silences(both, "audio", since=95.0) == [Span(119.0, None)]


def test_sound_and_picture_are_told_apart() -> None:
    heard = view(source((100.0, 3.0)), source((110.0, 5.0), owner="c", media="video"))
    assert silences(heard, "audio", since=95.0) == [Span(100.0, 103.0)]
    assert silences(heard, "video", since=95.0) == [Span(110.0, 115.0)]


def marks(span: Span, *began: float, now: float = NOW) -> list[tuple[int, float, Mark]]:
    found = marks_of_silence([span], "audio", began=began, now=now)
    return [(act, pytest.approx(at), mark) for act, at, mark in found]


def test_a_silence_within_an_act_stops_and_comes_back_in_it() -> None:
    assert marks(Span(100.5, 102.0), 100.0, 110.0) == [
        (0, 0.5, Mark.SOUND_STOPPED),
        (0, 2.0, Mark.SOUND_BACK),
    ]


def test_an_act_that_begins_in_silence_says_so_at_once() -> None:
    assert marks(Span(100.5, 112.0), 100.0, 110.0) == [
        (0, 0.5, Mark.SOUND_STOPPED),
        (0, 0.5, Mark.SOUND_GONE),
        (1, 0.0, Mark.SOUND_STOPPED),
        (1, 0.0, Mark.SOUND_GONE),
        (1, 2.0, Mark.SOUND_BACK),
    ]


def test_the_last_packet_before_a_fault_does_not_put_its_silence_into_the_act_before() -> None:
    assert marks(Span(109.98, 112.0), 100.0, 110.0) == [
        (1, 0.0, Mark.SOUND_STOPPED),
        (1, 2.0, Mark.SOUND_BACK),
    ]


def test_a_silence_that_no_busy_machine_makes_by_itself_has_a_mark_of_its_own() -> None:
    gone = (0, 0.5, Mark.SOUND_GONE)
    assert gone not in marks(Span(100.5, 103.0), 100.0)
    assert gone in marks(Span(100.5, 103.6), 100.0)
    assert gone in marks(Span(100.5, None), 100.0, now=104.0)
    assert gone not in marks(Span(100.5, None), 100.0, now=103.0)


def test_what_came_back_just_now_is_not_back_yet() -> None:
    assert marks(Span(100.5, 102.0), 100.0, now=102.5) == [(0, 0.5, Mark.SOUND_STOPPED)]
    assert (0, 2.0, Mark.SOUND_BACK) in marks(Span(100.5, 102.0), 100.0, now=103.1)


def test_figures_say_for_how_long_whether_it_came_back_and_what_was_lost() -> None:
    heard = view(source((100.0, 3.0), (108.0, 0.4), packets=900, lost=100))
    found = hearing_of(heard, "audio", who=Who.CALL, name="p1", since=95.0, before=Count(0, 0))
    assert (found.stopped, found.longest, found.at_the_end) == (3.0, 3.0, True)
    assert found.loss == pytest.approx(0.1)
    gone = view(source(last_at=120.0))
    found = hearing_of(gone, "audio", who=Who.CALL, name="p1", since=95.0, before=Count(0, 0))
    assert (found.stopped, found.at_the_end) == (30.0, False)


def test_loss_is_of_what_came_since_and_of_enough_packets_only() -> None:
    assert Count(1090, 60).loss_since(Count(1000, 50)) == pytest.approx(0.1)
    assert Count(1050, 60).loss_since(Count(1000, 50)) is None
    assert Count(1200, 40).loss_since(Count(1000, 50)) == 0.0
