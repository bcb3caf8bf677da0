"""How long it took to make images on this machine: what 'labctl plan' expects the next time.

A file that cannot be used is begun anew, and one that cannot be written is left: nothing depends
on it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, load_state, save_state
from labctl.topology.workdir import state_dir

MOST_KEPT = 20
COUNTED = 5


@dataclass(frozen=True, slots=True)
class BakeTime:
    """Images that were made: their kind, how many roles, whether the base was, and seconds."""

    kind: str
    roles: int
    base: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class BakeTimes:
    """The last ones, the newest last."""

    runs: tuple[BakeTime, ...] = ()


BAKE_TIMES: StateKind[BakeTimes] = StateKind(
    format=1,
    parse=partial(from_plain, BakeTimes),
    remedy="Remove it: only what labctl expects is lost.",
)


def bake_times_file() -> Path:
    return state_dir() / "bakes.json"


def note_bake(kind: str, *, roles: int, base: bool, seconds: float) -> None:
    """Keep how long it took."""
    runs = (*_load().runs, BakeTime(str(kind), roles, base, round(seconds, 2)))
    with suppress(LabError, OSError):
        save_state(bake_times_file(), BAKE_TIMES, to_plain(BakeTimes(runs[-MOST_KEPT:])))


def find_bake_seconds(kind: str, *, roles: int, base: bool) -> float | None:
    """The median of those with the nearest number of roles; None if none was seen."""
    alike = [run for run in _load().runs if run.kind == kind and run.base == base]
    if not alike:
        return None
    least = min(abs(run.roles - roles) for run in alike)
    nearest = [run.seconds for run in alike if abs(run.roles - roles) == least]
    return median(nearest[-COUNTED:])


def _load() -> BakeTimes:
    try:
        return load_state(bake_times_file(), BAKE_TIMES)
    except LabError:
        return BakeTimes()
