"""What runs beside what in bin/test, which has a process for each core (pytest-xdist).

A lane is a list of files and folders whose tests follow each other in one process: those that share
a lab, and those that have labs of their own or count what the Docker engine has.  The lanes begin
first, for they take longest; files of other tests go to whichever process is free, in the order of
their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

LANES: Mapping[str, tuple[str, ...]] = {
    "labs of their own": (
        "tests/labs/test_bundle.py",
        "tests/labs/test_converges.py",
        "tests/labs/test_layouts.py",
    ),
    "the README's lab": ("tests/labs/",),
    "engine": (
        "tests/debs/test_bake.py",
        "tests/drift/test_merge.py",
        "tests/drift/test_readers.py",
        "tests/gate/test_real.py",
        "tests/images/test_make.py",
        "tests/lab/test_doctor.py",
        "tests/programs/",
        "tests/providers/",
        "tests/standins/test_prosody.py",
        "tests/training/test_real.py",
        "tests/upgrade/test_real.py",
    ),
}
"""A file is in the first lane that has it."""

MARKERS = ("lab", "engine")
"""What must be in a lane."""


def lane_of(nodeid: str) -> str | None:
    """The lane of a test by its file, with which its id begins; none: it runs anywhere."""
    return next((lane for lane, paths in LANES.items() if nodeid.startswith(paths)), None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lanes first where there are several processes; nobody forgets to name a file."""
    outside = {
        item.nodeid.partition("::")[0]
        for item in items
        if lane_of(item.nodeid) is None
        and any(item.get_closest_marker(marker) for marker in MARKERS)
    }
    if outside:
        names = ", ".join(sorted(outside))
        raise pytest.UsageError(f"These need a lane, for they use the engine: {names} ({__file__})")
    if hasattr(config, "workerinput"):
        order = [*LANES, None]
        items.sort(key=lambda item: order.index(lane_of(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """One scope for each lane, and for each file of other tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Lanes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return lane_of(nodeid) or nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # else what has most tests comes first
    return Lanes(config, log)
