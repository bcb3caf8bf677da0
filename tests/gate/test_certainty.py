"""Where the line is between worse, not worse, and not clear."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import stdev

import pytest

from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.gate.certainty import (
    Pair,
    TimingVerdict,
    compare_pairs,
    looks_slower,
    lower_bound,
    student,
    surely,
)


@pytest.mark.parametrize(
    ("freedom", "errors"),
    [(0, 318.3), (1, 318.3), (2, 22.33), (4, 7.173), (12, 3.930), (13, 3.930), (500, 3.930)],
)
def test_students_t_at_a_tenth_of_a_percent(freedom: int, errors: float) -> None:
    assert student(freedom) == errors


def test_the_bound_of_a_few_differences_is_students() -> None:
    assert lower_bound([1.0, 3.0, 2.0]) == pytest.approx(2.0 - 22.33 / sqrt(3))


def test_differences_that_happen_to_agree_are_not_taken_for_exact() -> None:
    assert lower_bound([2.0, 2.0, 2.0]) == pytest.approx(2.0 - 22.33 * 0.15 / sqrt(3))


def test_of_seven_differences_the_largest_and_the_smallest_count_as_their_neighbours() -> None:
    error = stdev([1, 1, 2, 3, 4, 5, 5]) * sqrt(6 / (5 * 4))
    assert lower_bound([60, 1, 2, 3, 4, 5, -9]) == pytest.approx(3.0 - 7.173 * error)
    # Of six nothing is left out yet.
    error = stdev([60, 1, 2, 3, 4, 5]) / sqrt(6)
    assert lower_bound([60, 1, 2, 3, 4, 5]) == pytest.approx(12.5 - 5.893 * error)


@pytest.mark.parametrize(
    ("new", "old", "patience", "slower"),
    [
        (3.0, 2.0, 1.0, False),
        (3.1, 2.0, 1.0, True),
        (3.1, 2.0, 1.5, False),
        (10.0, 8.0, 1.0, False),
        (10.1, 8.0, 1.0, True),
    ],
    ids=["a second", "more", "on a slow machine", "a quarter", "more than a quarter"],
)
def test_slower_is_by_more_than_a_second_and_more_than_a_quarter(
    new: float, old: float, patience: float, slower: bool
) -> None:
    pairs = [Pair(new, old)] * 3
    assert looks_slower(pairs, patience=Patience(patience)) is slower


@pytest.mark.parametrize(("best", "sure"), [(5.8, False), (6.0, False), (6.1, True)])
def test_the_best_run_must_be_later_by_more_than_half_of_what_is_usual(
    best: float, sure: bool
) -> None:
    pairs = [Pair(best, 5.0), *([Pair(8.0, 6.0)] * 6)]
    assert surely(pairs) is sure


SLOW, FAST = Pair(9.0, 5.0), Pair(5.0, 9.0)
LOST = Pair(9.0, 5.0, counts=False)
LOST_FAST = Pair(5.0, 9.0, counts=False)


@pytest.mark.parametrize(
    ("pairs", "sure", "verdict"),
    [
        ([SLOW] * 3, 3, TimingVerdict.SLOWER),
        ([SLOW] * 2, 3, TimingVerdict.NOT_JUDGED),
        ([SLOW, SLOW, LOST, LOST], 3, TimingVerdict.UNCLEAR),
        ([SLOW, SLOW, SLOW, LOST], 4, TimingVerdict.UNCLEAR),
        ([SLOW, SLOW, SLOW, SLOW, LOST], 4, TimingVerdict.SLOWER),
        ([SLOW] * 3, 4, TimingVerdict.SLOWER),
        ([SLOW] * 3 + [LOST_FAST] * 4, 3, TimingVerdict.SLOWER),
        ([FAST] * 3 + [LOST] * 4, 3, TimingVerdict.FASTER),
        ([FAST, FAST, LOST_FAST], 3, TimingVerdict.SAME),
        ([FAST] * 3, 3, TimingVerdict.FASTER),
    ],
    ids=[
        "three", "two", "two that count", "three that count of four", "four that count of five",
        "all that there are", "the others say nothing", "nor do they hide a faster one",
        "too few to be faster", "faster",
    ],
)  # fmt: skip
def test_how_many_pairs_must_count(
    pairs: Sequence[Pair], sure: int, verdict: TimingVerdict
) -> None:
    assert compare_pairs(pairs, patience=NO_PATIENCE, sure=sure) is verdict
