"""Leak runs: the verdict comes from a slope and its uncertainty."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from labctl.gate.compare import judge_gate
from labctl.gate.measures import Resource, Slope, SlopeVerdict, Soak, UnitUse, UseSample
from labctl.gate.model import GateVerdict, Severity
from labctl.gate.soak import LEAST_SECONDS, compare_soak, find_slopes, fit, render_slope
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
    assert finding.severity is Severity.INFO
    assert "threads of jvb (+20 ± 30/h), threads of jicofo (+20 ± 30/h)" in finding.text
