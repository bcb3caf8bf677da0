"""Which versions of Jitsi's packages an expectation is about.

Jitsi numbers its packages by commits or builds: `1.0-1196-1`, `2.3-312-ga29d97d13-1`, `1.0.9378-1`.
The numbers in front decide; a stand-in's version has none, and a stand-in does what the newest
known package does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NEWEST: Mapping[str, str] = {
    "jicofo": "1.0-1196",
    "jitsi-videobridge2": "2.3-312",
    "jitsi-meet-prosody": "1.0.9378",
}
"""The newest packages whose behaviour is known (docs/facts/observed-labs.md, 1)."""

NEWEST_KNOWN: Mapping[str, str] = {}
"""Installed packages of which no version is told count as the newest known."""

_NUMBERS = re.compile(r"(\d+)\.(\d+)[.-](\d+)")
Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of one package, from `since` up to and with `until`; None is open."""

    package: str
    since: str | None = None
    until: str | None = None

    def __str__(self) -> str:
        ends = ("from", self.since), ("until", self.until)
        return " ".join([self.package, *(f"{word} {end}" for word, end in ends if end)])

    def hold(self, installed: Mapping[str, str]) -> bool:
        """Whether the installed package is one of these; one that has no number is the newest."""
        found = _numbers_of(self.package, installed)
        low = parse_numbers(self.since or "") or ()
        high = parse_numbers(self.until or "")
        return low <= found and (high is None or found <= high)


def parse_numbers(version: str) -> Numbers | None:
    """The numbers that decide; None for a version that Jitsi did not give."""
    found = _NUMBERS.match(version)
    return tuple(int(each) for each in found.groups()) if found else None


def differ(installed: Mapping[str, str]) -> bool:
    """Whether any of the packages is another version than the newest known one."""
    return any(_numbers_of(name, installed) != parse_numbers(NEWEST[name]) for name in NEWEST)


def _numbers_of(package: str, installed: Mapping[str, str]) -> Numbers:
    numbers = parse_numbers(installed.get(package, "")) or parse_numbers(NEWEST[package])
    assert numbers is not None
    return numbers
