"""What a check of this machine is, and the checks that several providers share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.core.findings import PAGE, Finding
from labctl.core.process import shell_line

MIB = 1024**2
# Measured with stand-ins: a base of 0.2 GB and role images of 0.4 GB.  Java needs more, and a bake
# holds the tree, its tar and the layers at the same time.
DISK_WANTED_MIB = 4096
DISK_LEAST_MIB = 1024


class CheckStatus(StrEnum):
    """The result of a check: a lab can be built, perhaps with a warning, or cannot."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Fix:
    """A command that cures a finding if root runs it; `changes` says what it changes."""

    argv: tuple[str, ...]
    changes: str

    @property
    def hint(self) -> str:
        """The same, for a person; without a full stop, because it is copied as it is."""
        return f"Run as root: {shell_line(self.argv)}"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and what was found.

    What is not in order has an id (`finding`) and a cure: `hint` for people, and `fix` if
    `labctl doctor --fix` can do it.
    """

    name: str
    status: CheckStatus
    found: str
    hint: str | None = None
    finding: Finding | None = None
    fix: Fix | None = None

    def __post_init__(self) -> None:
        if self.status is not CheckStatus.OK and not (self.hint and self.finding):
            raise ValueError(f"'{self.name}' is not in order and has no id or no cure")

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs; only a finding has `id`, `why`, `cure` and `page`."""
        found = {"name": self.name, "status": self.status, "what": self.found}
        return {**found, **told(self.finding, cure=self.hint)}


def told(finding: Finding | None, *, cure: str | None) -> dict[str, str | None]:
    """What programs are told of a finding; the same names without values where there is none."""
    if finding is None:
        return dict.fromkeys(("id", "why", "cure", "page"))
    return {"id": finding, "why": finding.why, "cure": cure, "page": finding.page}


def refused(name: str, error: LabError, *, otherwise: Finding) -> Check:
    """The failure that an error stands for; `otherwise` is its id if the error has none."""
    finding = error.finding or otherwise
    return Check(name, CheckStatus.FAIL, error.message, error.hint or f"See {PAGE}.", finding)


def render_checks(checks: Iterable[Check]) -> str:
    """The checks as a table, with each hint below its line."""
    checks = list(checks)
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<5} {check.name:<{width}}  {check.found}")
        if check.hint and check.status is not CheckStatus.OK:
            lines.append(f"{'':<5} {'':<{width}}  -> {check.hint} [{check.finding}]")
    if any(check.finding for check in checks):
        lines.append(f"Each word in brackets is explained in {PAGE}.")
    return "\n".join(lines)


def check_disk(name: str, free: int) -> Check:
    """Check the room for images and logs; `free` is in MiB."""
    found = f"{free / 1024:.1f} GiB free"
    hint = f"Free some space: building images takes about {DISK_WANTED_MIB // 1024} GiB."
    amount = Amount(free, DISK_WANTED_MIB, DISK_LEAST_MIB)
    return graded(name, found, amount, hint=hint, finding=Finding.DISK_FULL)


def free_mib(path: Path) -> int:
    """Free space in MiB on the file system of a path, or of the nearest folder above it."""
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free // MIB
        except OSError:
            continue
    return 0


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something there is: `wanted` is fine, less than `least` a failure."""

    value: int
    wanted: int
    least: int


def graded(name: str, found: str, amount: Amount, *, hint: str, finding: Finding) -> Check:
    """Check an amount: fine, a warning below what is wanted, or a failure."""
    if amount.value >= amount.wanted:
        return Check(name, CheckStatus.OK, found)
    status = CheckStatus.WARN if amount.value >= amount.least else CheckStatus.FAIL
    return Check(name, status, found, hint, finding)
