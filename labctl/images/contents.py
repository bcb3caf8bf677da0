"""What is in an image, package by package, as dpkg recorded it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

STATUS = "/var/lib/dpkg/status"
"""The file of an image in which dpkg records every package."""


@dataclass(frozen=True, slots=True, order=True)
class DebPackage:
    """An installed Debian package."""

    name: str
    version: str
    architecture: str


def parse_status(text: str) -> tuple[DebPackage, ...]:
    """The packages that are installed according to dpkg's status file, by name."""
    return tuple(sorted(_installed(text)))


def _installed(text: str) -> Iterator[DebPackage]:
    for paragraph in text.split("\n\n"):
        # Continued lines begin with a blank, and nothing that is needed here is continued.
        lines = (line.partition(": ") for line in paragraph.splitlines() if line[:1] != " ")
        found = {key: value for key, _, value in lines}
        if found.get("Status", "").endswith(" installed"):
            yield DebPackage(found["Package"], found["Version"], found["Architecture"])
