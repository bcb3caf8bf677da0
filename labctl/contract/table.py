"""Reading the tables: one file per package, every entry checked, none without source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.model import Role
from labctl.packages import MAIN_PACKAGES, ROLE_PACKAGES
from labctl.standins import STANDINS

FOLDER = STANDINS / "contract"


class Kind(StrEnum):
    """What sort of thing an entry is about."""

    FILE = "file"
    USER = "user"
    UNIT = "unit"
    REST = "rest"
    LOG = "log"
    XMPP = "xmpp"
    EXIT = "exit"


# What an entry of a kind must and may say, besides the keys of every entry.
KEYS: Mapping[Kind, tuple[frozenset[str], frozenset[str]]] = {
    Kind.FILE: (frozenset({"path"}), frozenset({"type", "owner", "group", "mode", "contains"})),
    Kind.USER: (frozenset({"name"}), frozenset({"group", "home"})),
    Kind.UNIT: (frozenset({"unit", "properties"}), frozenset()),
    Kind.REST: (
        frozenset({"port", "path", "status"}),
        frozenset({"method", "body", "accept", "keys", "values", "matches"}),
    ),
    Kind.LOG: (frozenset({"file", "message"}), frozenset({"level", "context"})),
    Kind.XMPP: (frozenset({"seen_in", "has"}), frozenset({"line", "pick"})),
    Kind.EXIT: (frozenset({"command", "status"}), frozenset({"output"})),
}
COMMON = frozenset({"id", "kind", "source", "conference", "visitor", "roles"})
PATTERNS = ("contains", "matches", "message", "context", "output", "line")
PARTICIPANTS = "participants"
"""In `seen_in`: what the participants of the short conference saw; else it is a log file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a package shows; `what` holds the keys of its kind (docs/contract.md).

    With `conference` it is looked for around a short conference, and one node that shows it is
    enough; with `visitor` the lab must have a visitor Prosody (and the conference has a visitor).
    """

    id: str
    package: str
    kind: Kind
    source: str
    what: Mapping[str, Any]
    roles: frozenset[Role]
    conference: bool = False
    visitor: bool = False


def load_table(folder: Path = FOLDER) -> list[Entry]:
    """All entries, in the order of packages and files.

    Errors: LabError that lists everything that is wrong with the tables.
    """
    entries: list[Entry] = []
    problems: list[str] = []
    for package in MAIN_PACKAGES:
        file = folder / f"{package}.toml"
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        problems += [
            f"{file.name}: '{key}' is no table of entries" for key in set(data) - {"entry"}
        ]
        for raw in data.get("entry", []):
            name = f"{file.name}: '{raw.get('id', '(no id)')}'"
            found = list(_problems(raw))
            problems += [f"{name}: {problem}" for problem in found]
            if not found:
                entries.append(_entry(package, raw))
    names = [entry.id for entry in entries]
    problems += [f"'{name}' stands there twice" for name in set(names) if names.count(name) > 1]
    if problems:
        raise LabError("The contract's tables are wrong:\n    " + "\n    ".join(sorted(problems)))
    return entries


def _problems(raw: Mapping[str, Any]) -> Iterable[str]:
    for key in ("id", "kind", "source"):
        if not str(raw.get(key, "")).strip():
            yield f"it has no '{key}'"
    if raw.get("kind") not in list(Kind):
        yield f"'{raw.get('kind')}' is no kind"
        return
    must, may = KEYS[Kind(raw["kind"])]
    lacking, strange = must - set(raw), set(raw) - must - may - COMMON
    if lacking:
        yield f"it lacks {', '.join(sorted(lacking))}"
    if strange:
        yield f"it does not know {', '.join(sorted(strange))}"
    for role in raw.get("roles", ()):
        if role not in list(Role):
            yield f"'{role}' is no role"
    for key in PATTERNS:
        try:
            re.compile(str(raw.get(key, "")))
        except re.error as error:
            yield f"'{key}' is no pattern: {error}"
    # The node looks for it anywhere in a line, the judge in what follows the line's head.
    if str(raw.get("message", "")).startswith("^"):
        yield "'message' must not begin with '^'"


def _entry(package: str, raw: Mapping[str, Any]) -> Entry:
    installed = [role for role, packages in ROLE_PACKAGES.items() if package in packages]
    return Entry(
        id=raw["id"],
        package=package,
        kind=Kind(raw["kind"]),
        source=raw["source"],
        what={key: value for key, value in raw.items() if key not in COMMON},
        roles=frozenset(Role(role) for role in raw.get("roles", installed)),
        conference=bool(raw.get("conference", False)),
        visitor=bool(raw.get("visitor", False)),
    )
