"""A leak run: calls come and go for a while, and the slope of memory and descriptors is judged.

A single sample says nothing of a leak, nor do the first and the last: a Java heap rises and falls
by itself.  A line is fitted through the means of some stretches of time, without the first fifth,
in which programs warm up.  How far the stretches lie off the line says how sure its slope is.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import mean

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.crowd import Options, Target
from labctl.crowd.media import MediaKind, MediaOptions
from labctl.crowd.sync import crowd_in
from labctl.gate.certainty import student
from labctl.gate.measures import Resource, Slope, SlopeVerdict, Soak, UseSample
from labctl.gate.model import GateFinding, Severity
from labctl.gate.resources import INTERVAL_SECONDS, sampled, units_in
from labctl.topology.lab import Lab

ATTENTION = Severity.ATTENTION
PEOPLE, ROOMS_AT_ONCE = 3, 2
CALL_SECONDS, JOIN_SECONDS, TOLD_SECONDS = 6.0, 30.0, 60.0
LEAVE_SECONDS = 2 * JOIN_SECONDS + CALL_SECONDS
"""A call that has begun is over after so long, whatever happens."""
MOST_SAMPLES = 400
WARM_UP = 0.2
STRETCHES, LEAST_STRETCHES = 12, 6
LEAST_SECONDS = 600.0
"""A shorter run shows how programs warm up, and nothing of leaks."""

LEAKING = (
    (Resource.MEMORY, 24.0 * 2**20),
    (Resource.THREADS, 12.0),
    (Resource.DESCRIPTORS, 24.0),
)
"""What may leak, and the slope below which nobody would notice: bytes, or how many, an hour."""
WORTH_RATIO = 0.1
"""Nor is one of less than this share of what the service has."""


@dataclass(slots=True)
class _Calls:
    """Calls that came and went so far."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    calls: int = 0
    failed: int = 0
    problem: str = ""

    def add(self, error: LabError | None) -> None:
        with self.lock:
            self.calls += 1
            if error is not None:
                self.failed += 1
                self.problem = self.problem or error.message.partition("\n")[0]


def run_soak(lab: Lab, *, seconds: float, progress: Progress) -> Soak:
    """Let calls come and go for so long.  A call that fails is counted and does not end it."""
    until = time.monotonic() + seconds
    calls, ended = _Calls(), threading.Event()

    def work() -> None:
        while time.monotonic() < until and not ended.is_set():
            try:
                _call(lab, ended)
            except LabError as error:
                calls.add(error)
                ended.wait(1.0)
            else:
                calls.add(None)

    interval = max(INTERVAL_SECONDS, seconds / MOST_SAMPLES)
    workers = [
        threading.Thread(target=work, name=f"soak-{number}", daemon=True)
        for number in range(ROOMS_AT_ONCE)
    ]
    with sampled(lab, interval=interval) as samples:
        for worker in workers:
            worker.start()
        try:
            while (left := until - time.monotonic()) > 0:
                progress("soak", f"{calls.calls} calls came and went, {left / 60:.0f} min to go")
                ended.wait(min(left, TOLD_SECONDS))
        finally:
            ended.set()
            for worker in workers:
                worker.join(LEAVE_SECONDS)
    found = tuple(find_slopes(samples, seconds=seconds))
    return Soak(seconds, calls.calls, calls.failed, calls.problem, found, tuple(samples))


def _call(lab: Lab, ended: threading.Event) -> None:
    """A call of three who hear each other for a while.  Errors: LabError if they do not."""
    options = Options(media=MediaOptions.of(lab.topology, MediaKind.AUDIO))
    room = f"soak-{secrets.token_hex(4)}"
    with crowd_in(Target.of(lab), room, options=options) as crowd:
        crowd.join(PEOPLE, deadline=JOIN_SECONDS)
        crowd.wait_media(deadline=JOIN_SECONDS)
        ended.wait(CALL_SECONDS)


def find_slopes(samples: Sequence[UseSample], *, seconds: float) -> Iterator[Slope]:
    """The slope of each resource that may leak, of each kind of unit."""
    warm = [each for each in samples if each.at >= WARM_UP * seconds]
    for unit in units_in(warm):
        for resource, least in LEAKING:
            points = [
                (each.at, each.units[unit].read(resource)) for each in warm if unit in each.units
            ]
            short = seconds < LEAST_SECONDS
            slope = fit(points, unit=unit, resource=resource, least=least, short=short)
            if slope is not None:
                yield slope


def fit(
    points: Sequence[tuple[float, float]],
    *,
    unit: str,
    resource: Resource,
    least: float,
    short: bool = False,
) -> Slope | None:
    """The slope through points of seconds and a figure; None if there are too few of them.

    It matters from `least` an hour on; if the run was `short`, it cannot be said to grow."""
    count = min(STRETCHES, len(points) // 2)
    if count < LEAST_STRETCHES:
        return None
    stretches = [points[n * len(points) // count : (n + 1) * len(points) // count]
                 for n in range(count)]  # fmt: skip
    times = [mean(at for at, _ in each) / 3600 for each in stretches]
    values = [mean(value for _, value in each) for each in stretches]
    middle, usual = mean(times), mean(values)
    width = sum((at - middle) ** 2 for at in times)
    per_hour = sum((at - middle) * v for at, v in zip(times, values, strict=True)) / width
    off = [v - usual - per_hour * (at - middle) for at, v in zip(times, values, strict=True)]
    freedom = count - 2
    error = student(freedom) * sqrt(sum(each**2 for each in off) / freedom / width)
    worth = max(least, WORTH_RATIO * usual)
    verdict = judge_slope(per_hour, error, worth, short=short)
    return Slope(unit, resource, per_hour, error, usual, worth, verdict)


def judge_slope(per_hour: float, error: float, worth: float, *, short: bool) -> SlopeVerdict:
    """It grows if it surely does by enough, and is level if it surely does not."""
    if per_hour + error < worth:
        return SlopeVerdict.LEVEL
    if per_hour - error > worth and not short:
        return SlopeVerdict.GROWS
    return SlopeVerdict.UNCLEAR


def compare_soak(new: Soak | None, old: Soak | None) -> Iterator[GateFinding]:
    """A service that leaks and did not with the baseline fails the candidate; without a baseline,
    and where both grow, it needs attention, because nobody knows what is usual."""
    if new is None:
        return
    if new.failed:
        known = old is not None and old.failed > 0
        text = f"{new.failed} of {new.calls} calls failed: {new.problem}"
        yield GateFinding("soak", "calls", Severity.INFO if known else ATTENTION, text)
    before = {(each.unit, each.resource): each for each in old.slopes} if old is not None else {}
    for slope in new.slopes:
        if slope.verdict is SlopeVerdict.GROWS:
            was = before.get((slope.unit, slope.resource))
            more = was is not None and _grows_more(slope, was)
            text = f"grows: {render_slope(slope)}"
            if was is not None:
                text = f"{text} against {render_slope(was)} with the baseline"
            subject = f"{slope.unit}: {slope.resource}"
            yield GateFinding("soak", subject, Severity.FAIL if more else ATTENTION, text)
    unclear = [it for it in new.slopes if it.verdict is SlopeVerdict.UNCLEAR]
    if unclear:
        names = ", ".join(f"{it.resource} of {it.unit} ({render_slope(it)})" for it in unclear)
        text = f"could not tell whether these grow; a longer run says more: {names}"
        yield GateFinding("soak", "length", Severity.INFO, text)


def _grows_more(slope: Slope, was: Slope) -> bool:
    """Whether it surely grows by enough more than with the baseline."""
    apart = slope.per_hour - was.per_hour
    return apart - sqrt(slope.error**2 + was.error**2) > slope.worth


def render_slope(slope: Slope) -> str:
    """A slope for people, such as '+31 ± 4 MB/h'."""
    scale, unit = (2**20, "MB") if slope.resource is Resource.MEMORY else (1, "")
    amount = f"{slope.per_hour / scale:+.0f} ± {slope.error / scale:.0f}"
    return f"{amount} {unit}".rstrip() + "/h"
