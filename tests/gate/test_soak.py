"""Leak runs: the verdict comes from a slope and its uncertainty."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import sqrt
from statistics import linear_regression, mean
from types import SimpleNamespace

import pytest

from labctl.core.progress import silent
from labctl.crowd import Target
from labctl.crowd.media import MediaKind
from labctl.gate import soak as module
from labctl.gate.compare import judge_gate
from labctl.gate.measures import Resource, Slope, SlopeVerdict, Soak, UnitUse, UseSample
from labctl.gate.model import GateVerdict, Severity
from labctl.gate.soak import (
    LEAST_SECONDS,
    compare_soak,
    find_slopes,
    fit,
    judge_slope,
    render_slope,
    run_soak,
)
from labctl.topology.lab import Lab
from tests.fakes.nodes import FakeNodes
from tests.gate.calls import FakeCalls
from tests.gate.sides import make_side

HALF_HOUR = 1800.0
MB = 2**20


def heap(seconds: float, *, leak: float = 0.0, seed: int = 1, usual: float = 250.0) -> list[float]:
    """Megabytes of a Java program, each 10 s: a saw's teeth, noise, a warm-up, a leak per hour."""
    rng = random.Random(seed)
    found = []
    for n in range(int(seconds / 10)):
        at = 10.0 * n
        warm = -60.0 * max(0.0, 1 - at / (0.15 * seconds))
        tooth = 25.0 * (at % 130) / 130
        found.append(usual + warm + tooth + leak * at / 3600 + rng.gauss(0, 4))
    return found


def samples(values: list[float], *, descriptors: float = 0.0) -> list[UseSample]:
    return [
        UseSample(
            10.0 * n,
            {"jvb": UnitUse(int(v * MB), n, 40, 100 + int(descriptors * 10 * n / 3600), 0)},
        )
        for n, v in enumerate(values)
    ]


def slopes(values: list[float], *, seconds: float = HALF_HOUR, **more: float) -> dict[str, Slope]:
    found = find_slopes(samples(values, **more), seconds=seconds)
    return {str(slope.resource): slope for slope in found}


@pytest.mark.parametrize("seed", range(10))
def test_teeth_noise_and_warm_up_are_no_leak(seed: int) -> None:
    found = slopes(heap(HALF_HOUR, seed=seed))
    assert found["memory"].verdict is not SlopeVerdict.GROWS
    assert found["descriptors"].verdict is SlopeVerdict.LEVEL
    assert found["threads"].verdict is SlopeVerdict.LEVEL


def test_long_warm_up_is_no_leak() -> None:
    values = [500 - max(0.0, 300.0 - 10 * n) for n in range(180)]
    assert slopes(values)["memory"].verdict is SlopeVerdict.LEVEL


@pytest.mark.parametrize("seed", range(10))
def test_leak_is_found_with_its_size(seed: int) -> None:
    found = slopes(heap(HALF_HOUR, leak=200, seed=seed), descriptors=400)
    memory = found["memory"]
    assert memory.verdict is SlopeVerdict.GROWS
    assert abs(memory.per_hour / MB - 200) < memory.error / MB
    assert found["descriptors"].verdict is SlopeVerdict.GROWS
    assert render_slope(found["descriptors"]).startswith("+400 ± ")


def test_one_high_sample_at_the_end_is_no_leak() -> None:
    values = heap(HALF_HOUR)
    values[-1] += 500
    assert slopes(values)["memory"].verdict is not SlopeVerdict.GROWS


def test_a_short_run_says_nothing_of_growth() -> None:
    seconds = LEAST_SECONDS - 60
    found = slopes(heap(seconds, leak=3000), seconds=seconds)
    assert found["memory"].verdict is SlopeVerdict.UNCLEAR


def test_too_few_samples_have_no_slope() -> None:
    points = [(10.0 * n, 1.0) for n in range(11)]
    assert fit(points, unit="x", resource=Resource.THREADS, least=1) is None
    assert fit([*points, (110.0, 1.0)], unit="x", resource=Resource.THREADS, least=1) is not None


def test_growth_is_growth_unless_the_run_was_short() -> None:
    points = [(10.0 * n, 100.0 + n) for n in range(24)]
    found = fit(points, unit="x", resource=Resource.THREADS, least=1.0)
    assert found is not None and found.verdict is SlopeVerdict.GROWS
    found = fit(points, unit="x", resource=Resource.THREADS, least=1.0, short=True)
    assert found is not None and found.verdict is SlopeVerdict.UNCLEAR


def soak(per_hour: float, *, error: float = 5.0, failed: int = 0) -> Soak:
    grows = per_hour - error > 24
    verdict = SlopeVerdict.GROWS if grows else SlopeVerdict.LEVEL
    found = Slope("jvb", Resource.MEMORY, per_hour * MB, error * MB, 250 * MB, 25 * MB, verdict)
    return Soak(HALF_HOUR, 300, failed, "no sound" if failed else "", (found,))


@pytest.mark.parametrize(
    ("new", "old", "severity"),
    [
        (soak(100), soak(0), Severity.FAIL),
        (soak(100), soak(90), Severity.ATTENTION),
        (soak(100), None, Severity.ATTENTION),
        (soak(10), soak(0), None),
        (soak(10), soak(100), None),
        (None, soak(0), None),
    ],
    ids=["leaks", "both leak", "no baseline", "level", "better", "not tried"],
)
def test_a_leak_fails_where_the_baseline_has_none(
    new: Soak | None, old: Soak | None, severity: Severity | None
) -> None:
    found = [it for it in compare_soak(new, old) if it.subject == "jvb: memory"]
    assert [it.severity for it in found] == ([severity] if severity else [])


def test_findings_say_slope_and_uncertainty_of_both_sides() -> None:
    gate = judge_gate(make_side(soak=soak(100)), make_side("baseline", soak=soak(0)))
    assert gate.word is GateVerdict.FAIL
    (finding,) = [each for each in gate.findings if each.area == "soak"]
    assert finding.text == "grows: +100 ± 5 MB/h against +0 ± 5 MB/h with the baseline"


def test_calls_that_failed_are_counted() -> None:
    (finding,) = compare_soak(soak(0, failed=2), soak(0))
    assert (finding.severity, finding.text) == (
        Severity.ATTENTION,
        "2 of 300 calls failed: no sound",
    )
    (finding,) = compare_soak(soak(0, failed=2), soak(0, failed=1))
    assert finding.severity is Severity.INFO


def test_what_is_not_clear_is_one_remark() -> None:
    slope = Slope("jvb", Resource.THREADS, 20.0, 30.0, 40.0, 12.0, SlopeVerdict.UNCLEAR)
    other = replace(slope, unit="jicofo")
    (finding,) = compare_soak(Soak(120.0, 20, slopes=(slope, other)), None)
    assert (finding.area, finding.subject) == ("soak", "length")
    assert finding.severity is Severity.INFO
    assert "threads of jvb (+20 ± 30/h), threads of jicofo (+20 ± 30/h)" in finding.text


def use_of(at: float, threads: int, unit: str = "jvb") -> UseSample:
    return UseSample(at, {unit: UnitUse(0, 0.0, threads, 0, 0)})


def noisy(count: int) -> list[tuple[float, float]]:
    """Points each 10 s that grow by 30 an hour, give or take."""
    rng = random.Random(count)
    return [(10.0 * n, 100 + 30 * n * 10 / 3600 + rng.gauss(0, 1)) for n in range(count)]


@pytest.mark.parametrize(("count", "stretches", "errors"), [(48, 12, 4.144), (14, 7, 5.893)])
def test_the_slope_is_a_line_through_the_means_of_stretches(
    count: int, stretches: int, errors: float
) -> None:
    points = noisy(count)
    size = count // stretches
    parts = [points[n * size : (n + 1) * size] for n in range(stretches)]
    hours = [mean(at for at, _ in part) / 3600 for part in parts]
    values = [mean(value for _, value in part) for part in parts]
    line = linear_regression(hours, values)
    off = [v - line.intercept - line.slope * at for at, v in zip(hours, values, strict=True)]
    width = sum((at - mean(hours)) ** 2 for at in hours)
    error = errors * sqrt(sum(each**2 for each in off) / (stretches - 2) / width)
    found = fit(points, unit="x", resource=Resource.THREADS, least=1.0)
    assert found is not None
    assert (found.unit, found.resource) == ("x", Resource.THREADS)
    assert found.per_hour == pytest.approx(line.slope)
    assert found.error == pytest.approx(error)
    assert found.usual == pytest.approx(mean(values))
    assert found.worth == pytest.approx(mean(values) / 10)


def test_stretches_hold_all_points_even_if_they_cannot_be_alike() -> None:
    points = [(10.0 * n, 0.0) for n in range(30)]
    found = fit([*points, (300.0, 120.0)], unit="x", resource=Resource.THREADS, least=1.0)
    # The last of 12 stretches has three of the 31 points.
    assert found is not None and found.usual == pytest.approx(120 / 3 / 12)


@pytest.mark.parametrize(("least", "worth"), [(5.0, 10.0), (10.0, 10.0), (11.0, 11.0)])
def test_what_matters_is_a_tenth_of_what_a_service_has_or_an_amount(
    least: float, worth: float
) -> None:
    points = [(10.0 * n, 100.0) for n in range(24)]
    found = fit(points, unit="x", resource=Resource.THREADS, least=least)
    assert found is not None
    assert found.worth == pytest.approx(worth)
    assert found.verdict is SlopeVerdict.LEVEL
    assert (found.per_hour, found.error) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("per_hour", "error", "short", "verdict"),
    [
        (5.0, 4.0, False, SlopeVerdict.LEVEL),
        (5.0, 5.0, False, SlopeVerdict.UNCLEAR),
        (15.0, 5.0, False, SlopeVerdict.UNCLEAR),
        (15.5, 5.0, False, SlopeVerdict.GROWS),
        (15.5, 5.0, True, SlopeVerdict.UNCLEAR),
        (5.0, 4.0, True, SlopeVerdict.LEVEL),
    ],
)
def test_what_a_slope_says(
    per_hour: float, error: float, short: bool, verdict: SlopeVerdict
) -> None:
    assert judge_slope(per_hour, error, 10.0, short=short) is verdict


def test_the_first_fifth_is_left_out() -> None:
    def threads(first: float) -> float:
        late = [use_of(first + 10 * n, 100) for n in range(24)]
        found = {it.resource: it for it in find_slopes([use_of(119.9, 999), *late], seconds=600.0)}
        assert list(found) == [Resource.MEMORY, Resource.THREADS, Resource.DESCRIPTORS]
        return found[Resource.THREADS].usual

    assert threads(120.0) == 100
    early = [use_of(119.9 + n / 1000, 100) for n in range(11)]
    assert list(find_slopes(early, seconds=600.0)) == []
    # Twelve from the end of the warm-up on are enough.
    enough = [use_of(120.0 + n, 100) for n in range(12)]
    assert len(list(find_slopes(enough, seconds=600.0))) == 3
    assert list(find_slopes(enough, seconds=601.0)) == []


@pytest.mark.parametrize(("seconds", "grows"), [(600.0, True), (599.0, False)])
def test_ten_minutes_are_long_enough(seconds: float, grows: bool) -> None:
    growing = [use_of(120.0 + 10 * n, 100 + 10 * n) for n in range(40)]
    found = {it.resource: it.verdict for it in find_slopes(growing, seconds=seconds)}
    assert (found[Resource.THREADS] is SlopeVerdict.GROWS) is grows


def test_services_have_slopes_of_their_own() -> None:
    both = [
        UseSample(200.0 + n, {**use_of(0, 5, "a").units, **use_of(0, 7, "b").units})
        for n in range(12)
    ]
    alone = [use_of(230.0 + n, 5, "a") for n in range(12)]
    found = list(find_slopes([*both, *alone], seconds=600.0))
    assert [(it.unit, it.usual) for it in found if it.resource is Resource.THREADS] == [
        ("a", 5),
        ("b", 7),
    ]


@pytest.mark.parametrize(("apart", "severity"), [(30.0, Severity.ATTENTION), (31.0, Severity.FAIL)])
def test_more_growth_must_be_certain_on_both_sides_together(
    apart: float, severity: Severity
) -> None:
    new, old = soak(100 + apart, error=3.0), soak(100, error=4.0)
    (finding,) = compare_soak(new, old)
    assert finding.severity is severity


def test_growth_without_a_baseline_is_told_alone() -> None:
    (finding,) = compare_soak(soak(100), None)
    assert (finding.area, finding.text) == ("soak", "grows: +100 ± 5 MB/h")
    (finding,) = compare_soak(soak(100), Soak(HALF_HOUR, 300))
    assert (finding.severity, finding.text) == (Severity.ATTENTION, "grows: +100 ± 5 MB/h")


def test_calls_that_failed_without_a_baseline_need_a_look() -> None:
    (finding,) = compare_soak(soak(0, failed=2), None)
    assert (finding.area, finding.subject) == ("soak", "calls")
    assert finding.severity is Severity.ATTENTION


def test_a_slope_in_words() -> None:
    slope = Slope("jvb", Resource.THREADS, -3.4, 2.0, 40.0, 12.0, SlopeVerdict.LEVEL)
    assert render_slope(slope) == "-3 ± 2/h"
    assert render_slope(replace(slope, resource=Resource.MEMORY, per_hour=3.4 * MB, error=MB)) == (
        "+3 ± 1 MB/h"
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, nodes: FakeNodes) -> FakeCalls:
    """Calls that take no time, in a lab that says what it uses."""
    nodes.says("*", "use jvb.service 100 1000 10 20\n", to="RssAnon")
    calls = FakeCalls()
    monkeypatch.setattr(module, "crowd_in", calls.crowd_in)
    monkeypatch.setattr(module, "CALL_SECONDS", 0.02)
    return calls


def test_calls_come_and_go_for_so_long(lab: Lab, quick: FakeCalls) -> None:
    told: list[str] = []
    found = run_soak(lab, seconds=0.3, progress=lambda phase, text, **_: told.append(text))
    assert (found.seconds, found.failed, found.problem, found.slopes) == (0.3, 0, "", ())
    assert found.calls == len(quick.rooms) == quick.ended
    assert 2 <= found.calls <= 32
    assert all(re.fullmatch(r"soak-[0-9a-f]{8}", room) for room in quick.rooms)
    address = Target.of(lab).address
    assert set(quick.asked) == {
        ("in", address, MediaKind.AUDIO),
        ("join", 3, 30.0),
        ("wait", 30.0),
    }
    assert found.samples and found.samples[0].units["jvb"].threads == 30
    assert told and re.fullmatch(r"\d calls came and went, 0 min to go", told[0])


def test_a_call_that_fails_is_counted_and_another_one_is_made(lab: Lab, quick: FakeCalls) -> None:
    quick.fails = "Nobody heard anything.\n  jvb1: no packets\n  jms: none"
    found = run_soak(lab, seconds=1.2, progress=silent)
    assert found.calls == found.failed == len(quick.rooms)
    assert 2 <= found.calls <= 4
    assert found.problem == "Nobody heard anything."


class Hurried(threading.Event):
    """A wait that would end by itself ends soon."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else min(timeout, 0.01))


@pytest.mark.parametrize("fails", ["", "Nobody heard anything."], ids=["heard", "failed"])
def test_each_call_is_followed_by_another_one(
    lab: Lab, quick: FakeCalls, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        if len(quick.rooms) > 2 * module.ROOMS_AT_ONCE:
            raise KeyboardInterrupt

    hurried = SimpleNamespace(Event=Hurried, Lock=threading.Lock, Thread=threading.Thread)
    monkeypatch.setattr(module, "threading", hurried)
    quick.fails = fails
    with pytest.raises(KeyboardInterrupt):
        run_soak(lab, seconds=20.0, progress=interrupt)


def test_ctrl_c_ends_the_calls(lab: Lab, quick: FakeCalls) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_soak(lab, seconds=600.0, progress=interrupt)
    assert not [it for it in threading.enumerate() if it.name.startswith("soak-")]
    assert quick.ended == len(quick.rooms)


def test_a_call_that_never_ends_is_left_behind(
    lab: Lab, quick: FakeCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(quick, "wait_media", lambda **_: over.wait(30))
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.05)
    began = time.monotonic()
    found = run_soak(lab, seconds=0.1, progress=silent)
    over.set()
    assert time.monotonic() - began < 10
    assert found.calls == 0


@pytest.mark.parametrize(("seconds", "interval"), [(600.0, 2.0), (4000.0, 10.0)])
def test_long_runs_have_no_more_samples_than_others(
    seconds: float,
    interval: float,
    lab: Lab,
    quick: FakeCalls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    @contextmanager
    def sampled(mine: Lab, *, interval: float) -> Iterator[list[UseSample]]:
        assert mine is lab
        asked.append(interval)
        yield []

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "sampled", sampled)
    with pytest.raises(KeyboardInterrupt):
        run_soak(lab, seconds=seconds, progress=interrupt)
    assert asked == [interval]


def test_minutes_that_are_left_are_told_each_minute(
    lab: Lab, quick: FakeCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def progress(phase: str, text: str, *, node: str | None = None) -> None:
        told.append(f"{phase}: {text.partition(', ')[2]}")
        if len(told) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "TOLD_SECONDS", 0.05)
    with pytest.raises(KeyboardInterrupt):
        run_soak(lab, seconds=6000.0, progress=progress)
    assert told == ["soak: 100 min to go"] * 3
