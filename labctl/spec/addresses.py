"""Addresses of .deb files, as they may stand in the place of a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

_PINNED = re.compile(r"sha256=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class DebAddress:
    """Where a .deb file is to be had, what it is called, and the checksum that it must have."""

    url: str
    name: str
    sha256: str | None = None


def is_address(text: str) -> bool:
    """Whether a file is named by an address and not by a path."""
    return "://" in text


def address_problem(text: str) -> str | None:
    """What is wrong with an address, as the end of a sentence; None for a path and a good one."""
    if not is_address(text):
        return None
    parts = urlsplit(text)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return f"must begin with http(s):// and a host, got {text!r}."
    if parts.username is not None:
        return "must not hold a user or a password, because reports show the address."
    if not parts.path.endswith(".deb"):
        return f"must end in .deb, got {text!r}; name each file, separated by commas."
    if parts.fragment and _PINNED.fullmatch(parts.fragment) is None:
        return f"may end in '#sha256=' and 64 hexadecimal digits, got '#{parts.fragment}'."
    return None


def parse_address(text: str) -> DebAddress:
    """The parts of a good address."""
    parts = urlsplit(text)
    pinned = _PINNED.fullmatch(parts.fragment)
    name = unquote(parts.path.rpartition("/")[2])
    return DebAddress(urlunsplit(parts._replace(fragment="")), name, pinned[1] if pinned else None)
