"""What a lab's Prometheus knows, as values: curves, alerts, and what 'labctl metrics' prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_STEP = 2.0
"""Seconds between two figures; Prometheus asks every program as often."""
MOST_POINTS = 300


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, in seconds since 1970."""

    began: float
    ended: float

    @property
    def step(self) -> float:
        """Seconds between two figures, so that there are not too many of them."""
        return max(LEAST_STEP, math.ceil((self.ended - self.began) / MOST_POINTS))


@dataclass(frozen=True, slots=True)
class Point:
    """A figure at a time, in seconds since 1970."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: its labels, and its figures in the order of time."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]


def names_of(series: Sequence[Series]) -> tuple[str, ...]:
    """What tells each series from the others: the labels in which they differ.

    A bridge or a vnode is on one node, so the node is left out.
    """
    keys = list(dict.fromkeys(key for each in series for key in each.labels))
    apart = [key for key in keys if len({each.labels.get(key) for each in series}) > 1]
    if {"bridge", "vnode"} & set(apart):
        apart = [key for key in apart if key not in ("instance", "job")]
    return tuple(_name(each, apart) for each in series)


def _name(series: Series, keys: Sequence[str]) -> str:
    words = [series.labels[key] for key in keys if series.labels.get(key)]
    return " ".join(words) or series.labels.get("__name__", "value")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is firing, or pending: it has not been true for long enough."""

    name: str
    state: str
    severity: str
    summary: str
    labels: Mapping[str, str]
    since: str


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """The curves of one expression in a time, with the seconds between two figures."""

    lab: str
    expression: str
    began: float
    ended: float
    step: float
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class MetricsRecord:
    """The alerts that fire or are pending, and the last figures of what the rules compute."""

    lab: str
    alerts: tuple[Alert, ...]
    recorded: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class MetricNamesRecord:
    """The names of all metrics."""

    lab: str
    names: tuple[str, ...]
