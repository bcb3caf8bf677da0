"""What is measured of a run, as values: seconds, CPU time, and what others used meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

DISTURBED = 0.25
"""The share of the processors lost to others from which on a failure may be the machine's."""


@dataclass(frozen=True, slots=True)
class Load:
    """What used this machine's processors while something ran, as shares of all of them.

    `others` is what neither the lab nor labctl used; `steal` is what a hypervisor kept back.
    `pressure` is the share of the time in which something waited for a processor, None if the
    kernel does not say.  Where `measured` is false the nodes could not say what they used, and
    `others` is the load average from before."""

    seconds: float
    processors: int
    others: float
    steal: float = 0.0
    pressure: float | None = None
    loadavg: float = 0.0
    measured: bool = True

    @property
    def lost(self) -> float:
        """The share of the processors that the lab could not have."""
        return min(self.others + self.steal, 1.0)

    @property
    def disturbed(self) -> bool:
        """Whether others may be the reason that something took too long."""
        return self.lost > DISTURBED


@dataclass(frozen=True, slots=True)
class Up:
    """One time that a side's lab was brought up.

    `seconds` are those of each phase; `starts` those of each package's program, started again
    some times when the lab was ready; `cpu` what each kind of unit used of the processors until
    then, and `start_cpu` what each of those starts used.
    """

    seconds: Mapping[str, float]
    starts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    start_cpu: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cpu: Mapping[str, float] = field(default_factory=dict)
    load: Load | None = None


class Resource(StrEnum):
    """What is measured of a service while something runs."""

    MEMORY = "memory"
    CPU = "CPU"
    THREADS = "threads"
    DESCRIPTORS = "descriptors"
    LOG = "log volume"


@dataclass(frozen=True, slots=True)
class UnitUse:
    """What the processes of one kind of unit have at one instant, on all nodes together.

    `memory` is in bytes, of what is not a file's content (RssAnon of proc(5)); `cpu` in seconds
    and `log` in bytes since they began, so that only differences count.
    """

    memory: int
    cpu: float
    threads: int
    descriptors: int
    log: int

    def read(self, resource: Resource) -> float:
        """One of the figures."""
        match resource:
            case Resource.MEMORY:
                return self.memory
            case Resource.CPU:
                return self.cpu
            case Resource.THREADS:
                return self.threads
            case Resource.DESCRIPTORS:
                return self.descriptors
            case Resource.LOG:
                return self.log
            case _:
                assert_never(resource)


@dataclass(frozen=True, slots=True)
class UseSample:
    """All kinds of units, `at` seconds after the sampling began."""

    at: float
    units: Mapping[str, UnitUse]


class SlopeVerdict(StrEnum):
    """What a slope says."""

    GROWS = "grows"
    LEVEL = "level"
    UNCLEAR = "could not tell"


@dataclass(frozen=True, slots=True)
class Slope:
    """How much more of a resource a kind of unit has each hour.

    The true slope is between `per_hour - error` and `per_hour + error`, either side with a
    certainty of 99.9 %.  `usual` is the mean, `worth` the slope from which on it matters.
    """

    unit: str
    resource: Resource
    per_hour: float
    error: float
    usual: float
    worth: float
    verdict: SlopeVerdict


@dataclass(frozen=True, slots=True)
class Soak:
    """A leak run: its length, its calls, those that failed and why the first did, the slopes."""

    seconds: float
    calls: int
    failed: int = 0
    problem: str = ""
    slopes: tuple[Slope, ...] = ()
    samples: tuple[UseSample, ...] = ()
