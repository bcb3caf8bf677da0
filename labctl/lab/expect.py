"""How long bringing up a lab is expected to take: as long as earlier labs of the same shape took.

Only labs whose machines are made anew are compared: a lab that exists already needs seconds, and
how many depends on what changed.  Images are left out as well, for they are baked or they are not.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Timings
from labctl.core.state import StateKind, load_state, save_state
from labctl.topology.model import Topology
from labctl.topology.workdir import Workdir, state_dir

PHASES = {
    "render": "writing the nodes' files",
    "machines": "starting the machines",
    "provision": "placing files and starting services",
    "ready": "waiting until media passes",
}
"""The phases that depend on the shape, and what each does."""

OTHER_PHASES = {"host": "preparing this machine", "images": "finding or baking the images"}
KEPT = 5
"""Runs that are kept for each shape: the machine's speed changes, too."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What earlier runs took: seconds by phase (the median), and how many runs there were."""

    phases: Mapping[str, float]
    runs: int

    @property
    def total(self) -> float:
        return sum(self.phases.values())

    def __str__(self) -> str:
        runs = "an earlier run" if self.runs == 1 else f"{self.runs} earlier runs"
        return f"about {max(1, round(self.total))} s more, as in {runs} of such a lab"


@dataclass(frozen=True, slots=True)
class Durations:
    """The seconds by phase of the last runs, by shape; the newest run last."""

    shapes: Mapping[str, tuple[Mapping[str, float], ...]] = field(default_factory=dict)


DURATIONS: StateKind[Durations] = StateKind(
    format=1,
    parse=partial(from_plain, Durations),
    remedy="Remove it: only what labctl expects is lost.",
)
_noting = threading.Lock()
"""Labs that come up beside each other in one process note their times one after another."""


def durations_file() -> Path:
    return state_dir() / "durations.json"


def shape_of(topology: Topology, *, stand_ins: bool) -> str:
    """What decides how long a lab takes: provider, nodes by role, vnodes, options, packages."""
    spec = topology.spec
    roles = Counter(str(node.role) for node in topology.nodes)
    nodes = " ".join(f"{count} {role}" for role, count in sorted(roles.items()))
    options = [name for name in ("small", "turn", "relays") if getattr(spec, name)]
    packages = "stand-ins" if stand_ins else "originals"
    words = [str(spec.provider), nodes, f"{len(topology.vnodes)} vnodes", packages, *options]
    return ", ".join(words)


def has_machines(workdir: Workdir) -> bool:
    """Whether Vagrant has made a machine of this lab that it has not removed."""
    return any(workdir.vagrant.glob("machines/*/*/id"))


def find_expected(shape: str) -> Expected | None:
    """What labs of this shape took; None if none was seen, or the file cannot be read."""
    runs = _load().shapes.get(shape, ())
    if not runs:
        return None
    phases = {name: median(run.get(name, 0.0) for run in runs) for name in PHASES}
    return Expected(phases, len(runs))


def note_duration(shape: str, timings: Timings) -> None:
    """Keep how long a run took; an unreadable file is begun anew, an unwritable one is left."""
    run = {name: round(timings.seconds.get(name, 0.0), 2) for name in PHASES}
    with _noting, suppress(LabError):
        known = dict(_load().shapes)
        known[shape] = (*known.get(shape, ()), run)[-KEPT:]
        save_state(durations_file(), DURATIONS, to_plain(Durations(known)))


def slowest_phase(seconds: Mapping[str, float], expected: Expected | None) -> str:
    """The phase that took longest, in words, with what it took before."""
    name = max(seconds, key=lambda each: seconds[each])
    before = expected.phases.get(name) if expected is not None else None
    usual = f", usually {before:.1f} s" if before is not None else ""
    what = (PHASES | OTHER_PHASES).get(name, name)
    return f"{what} ({name}), {seconds[name]:.1f} s{usual}"


def _load() -> Durations:
    try:
        return load_state(durations_file(), DURATIONS)
    except LabError:
        return Durations()
