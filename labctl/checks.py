"""What a check of this machine is, and the checks that several providers share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MIB = 1024**2
# Seen with stand-ins: a base of 0.2 GB and role images of 0.4 GB; Java is more, and a bake holds
# the tree, its tar and the layers at once.
DISK_WANTED_MIB = 4096
DISK_LEAST_MIB = 1024


class Status(StrEnum):
    """How a check came out: a lab can be built, can be built but ..., cannot be built."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    hint: str | None = None


def render_checks(checks: Iterable[Check]) -> str:
    """The checks as a table, each hint below its line."""
    checks = list(checks)
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<5} {check.name:<{width}}  {check.found}")
        if check.hint and check.status is not Status.OK:
            lines.append(f"{'':<5} {'':<{width}}  -> {check.hint}")
    return "\n".join(lines)


def check_disk(name: str, free: int) -> Check:
    """Room in MiB for images and logs."""
    found = f"{free / 1024:.1f} GiB free"
    hint = f"Make room: building images takes about {DISK_WANTED_MIB // 1024} GiB."
    return graded(name, found, free, DISK_WANTED_MIB, DISK_LEAST_MIB, hint)


def free_mib(path: Path) -> int:
    """Free space in MiB on the file system of a path, or of the nearest folder above it."""
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free // MIB
        except OSError:
            continue
    return 0


def graded(name: str, found: str, value: int, wanted: int, least: int, hint: str) -> Check:
    """A check of an amount: fine from `wanted` on, a warning from `least` on, else a failure."""
    if value >= wanted:
        return Check(name, Status.OK, found)
    return Check(name, Status.WARN if value >= least else Status.FAIL, found, hint)
