"""What a lab remembers of its last `up`: the plain data of its spec, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Timings, UpTimings
from labctl.core.state import StateKind, load_state, save_state
from labctl.topology.workdir import Workdir


@dataclass(frozen=True, slots=True)
class Saved:
    """Keys and values as in lab.conf, as they were given."""

    keys: Mapping[str, Any]


ANEW = (
    "Remove it, and say by flags or in a lab.conf what the lab should be;"
    " without them the next 'labctl up' makes it as a new one is."
)
SAVED: StateKind[Saved] = StateKind(
    format=2,
    parse=partial(from_plain, Saved),
    remedy=ANEW,
    outgrown=f"Use the labctl that wrote it.  Or: {ANEW[0].lower()}{ANEW[1:]}",
    migrations={
        # The keys were at the top.
        1: lambda data: {"keys": {name: it for name, it in data.items() if name != "format"}}
    },
)
TIMINGS: StateKind[UpTimings] = StateKind(
    format=1,
    parse=partial(from_plain, UpTimings),
    remedy="The next 'labctl up' writes it again.",
    outgrown="The next 'labctl up' writes it as this labctl does.",
)


def saved_file(workdir: Workdir) -> Path:
    return workdir.path / "spec.json"


def timings_file(workdir: Workdir) -> Path:
    return workdir.path / "timings.json"


def load_saved(workdir: Workdir) -> Mapping[str, Any]:
    """The data of the last `up`, empty if there was none.

    Errors: StateError for a file that cannot be used: the lab would silently become another.
    """
    path = saved_file(workdir)
    return load_state(path, SAVED).keys if path.exists() else {}


def save_spec(workdir: Workdir, data: Mapping[str, Any]) -> None:
    save_state(saved_file(workdir), SAVED, {"keys": dict(data)})


def save_timings(workdir: Workdir, timings: Timings) -> None:
    """Note how long each phase of an `up` that ended well took, in seconds."""
    phases = {name: round(seconds, 3) for name, seconds in timings.seconds.items()}
    noted = UpTimings(round(time.time(), 3), round(timings.total, 3), phases)
    save_state(timings_file(workdir), TIMINGS, to_plain(noted))


def load_timings(workdir: Workdir) -> UpTimings | None:
    """What `save_timings` noted last; None if it never did.  Errors: StateError."""
    path = timings_file(workdir)
    return load_state(path, TIMINGS) if path.exists() else None
