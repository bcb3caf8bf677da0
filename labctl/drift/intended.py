"""Which differences are meant, and why: data in `intended.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.drift.sections import Difference

FILE = Path(__file__).with_name("intended.toml")


@dataclass(frozen=True, slots=True)
class Intended:
    """A difference that is meant, with its reason.  A `*` in a pattern stands for any text.

    `packaged` None stands for a setting that the packages do not make: a default that changes
    in a candidate is then a finding, although labctl sets the same thing to a value of its own.
    `placed` None stands for whatever labctl places.
    """

    area: str
    where: str
    name: str
    reason: str
    packaged: str | None = None
    placed: str | None = None

    def matches(self, found: Difference) -> bool:
        """Whether the difference is this one."""
        if self.area != found.area or not _fits(self.where, found.where):
            return False
        if not _fits(self.name, found.name):
            return False
        if (self.packaged is None) != (found.packaged is None):
            return False
        if self.packaged is not None and not _fits(self.packaged, found.packaged or ""):
            return False
        return self.placed is None or _fits(self.placed, found.placed or "")


def load_intended(file: Path = FILE) -> list[Intended]:
    """The list, in the order of the file.  Errors: TypeError for a key that is not one."""
    data: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return [
        Intended(area=area, **{"where": "", **entry})
        for area, entries in data.items()
        for entry in entries
    ]


def reason_of(found: Difference, intended: Sequence[Intended]) -> str | None:
    """Why a difference is meant; None for one that nobody has judged."""
    return next((entry.reason for entry in intended if entry.matches(found)), None)


def _fits(pattern: str, text: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None
