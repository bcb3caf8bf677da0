"""What all tests with hostile input share: how many examples, and the bounds of each."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("LABCTL_EXAMPLES", "25"))
"""How many examples each property gets; 10,000 are a long run."""

SECONDS, MIB = 1.0, 200

settings.register_profile(
    "labctl",
    max_examples=EXAMPLES,
    # Measured here, by the process's own clock: other programs may have the processors.
    deadline=None,
    # The same examples in every run of a few; a long run finds new ones and prints them.
    derandomize=EXAMPLES < 1000,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("labctl")

Bounds = Callable[[], object]

WORK = 400_000
WORK_SECONDS = 0.075
"""What WORK rounds of a loop take on a quiet core of the machines that the bound was set on."""


def _slowness() -> float:
    """How much longer this machine needs now for the same work, at least 1."""

    def once() -> float:
        began = time.process_time()
        sum(hash(str(number)) for number in range(WORK))
        return time.process_time() - began

    return max(1.0, statistics.median(once() for _ in range(5)) / WORK_SECONDS)


@contextmanager
def _within() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    yield
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    if seconds >= SECONDS:
        # Another program on the same core, or an older one, makes a second of work longer.
        bound = SECONDS * _slowness()
        assert seconds < bound, f"took {seconds:.1f} s of processor time, not {bound:.1f}"
    assert grown < MIB, f"took {grown} MiB"


@pytest.fixture(scope="session")
def within() -> Bounds:
    """A context in which nothing may take a second of processor time or 200 MiB."""
    return _within
