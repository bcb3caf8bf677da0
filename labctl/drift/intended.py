"""Which differences are intended, and why: data in `intended.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.drift.sections import SettingDifference
from labctl.topology.versions import NEWEST_KNOWN, Versions

FILE = Path(__file__).with_name("intended.toml")


@dataclass(frozen=True, slots=True)
class Intended:
    """A difference that is intended, with its reason.  A `*` in a pattern matches any text.

    With `packaged` None, the packages do not make the setting.  A candidate that begins to make
    it is then reported, even though labctl sets the same thing to a value of its own.  With
    `placed` None, any value that labctl places matches.  `versions` says which packages do so; None
    is all.
    """

    area: str
    where: str
    name: str
    reason: str
    packaged: str | None = None
    placed: str | None = None
    versions: Versions | None = None

    def matches(self, found: SettingDifference) -> bool:
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


def load_intended(
    file: Path = FILE, *, installed: Mapping[str, str] = NEWEST_KNOWN
) -> list[Intended]:
    """What is intended with these packages (versions by name), in the order of the file.

    Errors: TypeError for an unknown key."""
    data: dict[str, list[dict[str, Any]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    found = [_entry(area, entry) for area, entries in data.items() for entry in entries]
    return [each for each in found if each.versions is None or each.versions.hold(installed)]


def _entry(area: str, raw: Mapping[str, Any]) -> Intended:
    ends = {key: raw[key] for key in ("package", "since", "until") if key in raw}
    rest = {key: value for key, value in raw.items() if key not in ends}
    return Intended(area=area, versions=Versions(**ends) if ends else None, **{"where": "", **rest})


def reason_of(found: SettingDifference, intended: Sequence[Intended]) -> str | None:
    """Why a difference is intended; None if nobody has reviewed it."""
    return next((entry.reason for entry in intended if entry.matches(found)), None)


def _fits(pattern: str, text: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None
