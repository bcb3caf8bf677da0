"""Noise: ranges that meet say nothing, and little is not worth a verdict."""

from __future__ import annotations

import pytest

from labctl.gate.timing import compare_seconds, compare_timings, summary


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ((9, 10, 11), (5, 6, 7), "slower"),
        ((5, 6, 7), (9, 10, 11), "faster"),
        ((6.9, 10, 11), (5, 6, 7), "same"),
        ((7.1, 7.2, 7.3), (6, 6.5, 7), "same"),
        ((1.5, 1.6, 1.7), (0.5, 0.6, 0.7), "same"),
        ((100, 100), (1, 1, 1), "not judged"),
        ((100, 100, 100), (), "not judged"),
    ],
    ids=["slower", "faster", "ranges meet", "too little", "too short", "two runs", "no baseline"],
)
def test_seconds(new: tuple[float, ...], old: tuple[float, ...], verdict: str) -> None:
    assert compare_seconds(new, old) == verdict


def test_only_what_packages_do_is_judged() -> None:
    new = [{"images": 90.0, "machines": 30.0, "ready": 5.0}] * 3
    old = [{"images": 1.0, "machines": 3.0, "ready": 5.0}] * 3
    assert [(each.phase, each.verdict) for each in compare_timings(new, old)] == [
        ("machines", "not judged"),
        ("ready", "same"),
    ]


def test_summary() -> None:
    assert summary([3.0, 1.0, 2.0]) == {
        "runs": [3.0, 1.0, 2.0],
        "median": 2.0,
        "least": 1.0,
        "most": 3.0,
    }
