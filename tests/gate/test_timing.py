"""Noise: pairs that differ too much say nothing, and little is not worth a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from labctl.core.plain import to_plain
from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.gate.certainty import Pair, TimingVerdict, compare_pairs
from labctl.gate.measures import Load, Up
from labctl.gate.timing import (
    Timing,
    alike,
    compare_timings,
    pair_runs,
    summary,
    wants_pair,
)

SAME, SLOWER, UNCLEAR = TimingVerdict.SAME, TimingVerdict.SLOWER, TimingVerdict.UNCLEAR


def pairs(new: Sequence[float], old: Sequence[float]) -> list[Pair]:
    return [Pair(mine, other) for mine, other in zip(new, old, strict=False)]


def run(lost: float, ready: float = 5.0) -> Up:
    return Up({"ready": ready}, load=Load(20.0, 2, lost))


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ((9, 10, 11), (5, 6, 7), "slower"),
        ((5, 6, 7), (9, 10, 11), "faster"),
        ((6.9, 10, 11), (5, 6, 7), "could not judge"),
        ((5, 6, 7), (6.9, 10, 11), "same"),
        ((7.1, 7.2, 7.3), (6, 6.5, 7), "same"),
        ((1.5, 1.6, 1.7), (0.5, 0.6, 0.7), "same"),
        ((100, 100), (1, 1, 1), "not judged"),
        ((100, 100, 100), (), "not judged"),
    ],
    ids=[
        "slower",
        "faster",
        "spread too wide",
        "perhaps faster",
        "too little",
        "too short",
        "two runs",
        "no baseline",
    ],
)
def test_seconds(new: tuple[float, ...], old: tuple[float, ...], verdict: str) -> None:
    assert compare_pairs(pairs(new, old), patience=NO_PATIENCE) == verdict


def test_a_second_more_is_nothing_on_slow_machines() -> None:
    new, old = (3.0, 3.1, 3.2), (1.0, 1.1, 1.2)
    assert compare_pairs(pairs(new, old), patience=Patience(1.5)) == "slower"
    assert compare_pairs(pairs(new, old), patience=Patience(2.5)) == "same"


def test_only_what_packages_do_is_judged() -> None:
    new = [Up({"images": 90.0, "machines": 30.0, "ready": 5.0})] * 3
    old = [Up({"images": 1.0, "machines": 3.0, "ready": 5.0})] * 3
    found = compare_timings(new, old, patience=NO_PATIENCE)
    assert [(each.phase, each.verdict) for each in found] == [
        ("machines", "not judged"),
        ("ready", "same"),
    ]


def test_summary() -> None:
    assert to_plain(summary([3.0, 1.0, 2.0])) == {
        "runs": [3.0, 1.0, 2.0],
        "median": 2.0,
        "least": 1.0,
        "most": 3.0,
    }
    found = summary([1.00049, 2.00049, 3.00049])
    assert (found.least, found.median, found.most) == (1.0, 2.0, 3.0)


def test_one_burst_of_load_does_not_hide_what_six_pairs_show() -> None:
    old = [5.0, 5.1, 5.0, 4.9, 5.0, 5.1, 5.0]
    new = [7.0, 7.2, 7.1, 6.9, 31.0, 7.1, 7.0]
    assert compare_pairs(pairs(new, old), patience=NO_PATIENCE) == "slower"


def test_a_best_run_as_good_as_the_baselines_proves_that_it_is_not_slower() -> None:
    old = [5.0, 9.0, 9.1, 9.0, 9.2, 9.0, 9.1]
    new = [5.0, 14.0, 14.1, 14.2, 14.0, 14.1, 14.0]
    assert compare_pairs(pairs(new, old), patience=NO_PATIENCE) == "could not judge"


def test_runs_under_another_load_do_not_count() -> None:
    """The first A/B of real packages: a busier second half made the candidate 'slower'."""
    old = [run(0.1, 5.9 + i / 10) for i in range(3)]
    new = [run(0.6, 22.1 + i / 10) for i in range(3)]
    (found,) = compare_timings(new, old, patience=NO_PATIENCE)
    assert found.verdict == "could not judge"
    assert not any(pair.counts for pair in found.pairs)
    (found,) = compare_timings(
        [run(0.5, up.seconds["ready"]) for up in new],
        [run(0.6, up.seconds["ready"]) for up in old],
        patience=NO_PATIENCE,
    )
    assert found.verdict == "slower"


def test_a_run_whose_partner_was_disturbed_finds_another() -> None:
    new = [run(0.1, 1), run(0.9, 2), run(0.1, 3), run(0.4, 4)]
    old = [run(0.1, 1), run(0.1, 2), run(0.5, 3), run(0.9, 4)]
    found = [(a.seconds["ready"], b.seconds["ready"], c) for a, b, c in pair_runs(new, old)]
    assert found == [(1, 1, True), (3, 2, True), (4, 3, True), (2, 4, False)]


def test_the_partner_is_the_run_that_lost_as_much_not_the_quietest() -> None:
    new, old = [run(0.5, 1), run(0.9, 2)], [run(0.1, 1), run(0.5, 2)]
    found = [(a.seconds["ready"], b.seconds["ready"], c) for a, b, c in pair_runs(new, old)]
    assert found == [(1, 2, True), (2, 1, False)]


@pytest.mark.parametrize(
    ("new", "lost", "had", "more"),
    [
        (5.0, 0.1, 2, True),
        (5.0, 0.1, 3, False),
        (9.0, 0.1, 3, True),
        (9.0, 0.1, 6, False),
        (5.0, 0.9, 3, True),
        (9.0, 0.9, 11, True),
        (9.0, 0.9, 12, False),
    ],
    ids=["asked for", "same", "slower", "sure", "disturbed", "unclear", "the end"],
)
def test_how_often_is_enough(new: float, lost: float, had: int, more: bool) -> None:
    timings = compare_timings([run(lost, new)] * had, [run(0.1)] * had, patience=NO_PATIENCE)
    assert wants_pair(timings, pairs=had, runs=3) is more


def test_one_run_stays_one() -> None:
    timings = compare_timings([run(0.9, 50.0)], [run(0.1)], patience=NO_PATIENCE)
    assert not wants_pair(timings, pairs=1, runs=1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0.7, 0.7, True),
        (0.71, 0.71, False),
        (0.2, 0.4, True),
        (0.4, 0.19, False),
        (None, 0.9, True),
        (0.9, None, True),
    ],
)
def test_runs_that_had_as_much_of_the_machine(
    one: float | None, other: float | None, same: bool
) -> None:
    ups = [Up({}) if lost is None else run(lost) for lost in (one, other)]
    assert alike(*ups) is same


def test_the_shortest_start_of_each_run_counts_and_figures_have_their_names() -> None:
    up = Up(
        {"ready": 5.0, "machines": 7.0, "provision": 6.0, "images": 1.0},
        starts={"jicofo": (3.0, 2.0, 4.0)},
        start_cpu={"jicofo": (1.5, 1.0)},
        cpu={"prosody": 0.5, "jicofo": 0.25},
    )
    found = compare_timings([up], [], patience=NO_PATIENCE)
    assert [(each.phase, each.candidate) for each in found] == [
        ("machines", (7.0,)),
        ("provision", (6.0,)),
        ("ready", (5.0,)),
        ("start of jicofo", (2.0,)),
        ("CPU to start jicofo", (1.0,)),
        ("CPU of jicofo", (0.25,)),
        ("CPU of prosody", (0.5,)),
    ]


def test_a_figure_that_one_side_lacks_has_no_pairs() -> None:
    with_start = Up({"ready": 5.0}, starts={"jicofo": (2.0,)})
    found = compare_timings([with_start], [Up({"ready": 6.0})], patience=NO_PATIENCE)
    assert [(each.phase, each.baseline) for each in found] == [
        ("ready", (6.0,)),
        ("start of jicofo", ()),
    ]
    found = compare_timings([Up({"ready": 5.0})], [with_start], patience=NO_PATIENCE)
    assert [each.phase for each in found] == ["ready"]


@pytest.mark.parametrize(
    ("counting", "phase", "start"),
    [(3, "could not judge", "could not judge"), (4, "could not judge", "slower"),
     (5, "could not judge", "slower"), (6, "slower", "slower")],
)  # fmt: skip
def test_a_phase_needs_more_pairs_that_count_than_a_start(
    counting: int, phase: str, start: str
) -> None:
    def runs(seconds: float, lost: float) -> list[Up]:
        up = Up({"ready": seconds}, {"jicofo": (seconds,)}, load=Load(20.0, 2, 0.1))
        busy = replace(up, load=Load(20.0, 2, lost))
        return [up] * counting + [busy] * (9 - counting)

    found = compare_timings(runs(9.0, 0.9), runs(5.0, 0.1), patience=NO_PATIENCE)
    assert [each.verdict for each in found] == [phase, start]


def test_a_figure_in_words() -> None:
    assert summary([5.25]).text == "5.2"
    assert summary([5.0, 5.4, 5.2004]).text == "5.2 (5.0-5.4, 3 runs)"
    assert summary([5.0, 5.4, 5.2004]).runs == (5.0, 5.4, 5.2)
    timing = Timing("ready", (9.0, 4.0), (Pair(9.0, 5.0), Pair(4.0, 5.5, False)), SAME)
    assert timing.pair_by_pair == "+4.0 (-1.5)"
    assert [side.runs for side in timing.sides] == [(9.0, 4.0), (5.0, 5.5)]


def test_a_figure_as_plain_data() -> None:
    timing = Timing("ready", (9.0,), (Pair(9.0, 5.0),), SAME)
    one = {"runs": [9.0], "median": 9.0, "least": 9.0, "most": 9.0}
    other = {"runs": [5.0], "median": 5.0, "least": 5.0, "most": 5.0}
    assert timing.to_json() == {
        "phase": "ready",
        "candidate": one,
        "baseline": other,
        "pairs": [{"candidate": 9.0, "baseline": 5.0, "counts": True}],
        "verdict": "same",
    }
    assert Timing("ready", (9.0,), (), SAME).to_json()["baseline"] is None


@pytest.mark.parametrize(
    ("verdict", "counting", "pairs", "runs", "more"),
    [
        (SAME, 3, 3, 3, False),
        (SAME, 2, 3, 3, True),
        (SAME, 2, 11, 3, True),
        (SAME, 2, 12, 3, False),
        (SLOWER, 5, 5, 3, True),
        (SLOWER, 6, 6, 3, False),
        (SLOWER, 2, 2, 2, False),
        (UNCLEAR, 11, 11, 3, True),
        (UNCLEAR, 12, 12, 3, False),
        (SAME, 3, 3, 4, True),
    ],
    ids=[
        "enough", "too few count", "still too few", "that has an end", "slower",
        "slower for certain", "two runs say nothing", "unclear", "it stays so", "asked for",
    ],
)  # fmt: skip
def test_when_another_pair_is_worth_its_time(
    verdict: TimingVerdict, counting: int, pairs: int, runs: int, more: bool
) -> None:
    had = [Pair(5.0, 5.0, counts=number < counting) for number in range(pairs)]
    timings = [Timing("ready", (5.0,) * pairs, tuple(had), verdict)]
    assert wants_pair(timings, pairs=pairs, runs=runs) is more


def test_without_a_figure_no_further_pair_is_wanted() -> None:
    assert not wants_pair([], pairs=3, runs=3)
