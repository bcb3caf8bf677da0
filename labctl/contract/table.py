"""Read the tables: one file per package, every entry checked, none without a source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.images.packages import MAIN_PACKAGES
from labctl.images.standins import STANDINS
from labctl.topology.roles import rows
from labctl.topology.spec import Role
from labctl.topology.versions import NEWEST, Versions, parse_numbers

FOLDER = STANDINS / "contract"


class EntryKind(StrEnum):
    """What an entry describes."""

    FILE = "file"
    USER = "user"
    UNIT = "unit"
    REST = "rest"
    LOG = "log"
    XMPP = "xmpp"
    EXIT = "exit"


# The keys that an entry of a kind must have and may have, besides those of every entry.
KEYS: Mapping[EntryKind, tuple[frozenset[str], frozenset[str]]] = {
    EntryKind.FILE: (
        frozenset({"path"}),
        frozenset({"type", "owner", "group", "mode", "contains"}),
    ),
    EntryKind.USER: (frozenset({"name"}), frozenset({"group", "home"})),
    EntryKind.UNIT: (frozenset({"unit", "properties"}), frozenset()),
    EntryKind.REST: (
        frozenset({"port", "path", "status"}),
        frozenset({"method", "body", "accept", "keys", "values", "matches"}),
    ),
    EntryKind.LOG: (frozenset({"file", "message"}), frozenset({"level", "context"})),
    EntryKind.XMPP: (frozenset({"seen_in", "has"}), frozenset({"line", "pick"})),
    EntryKind.EXIT: (frozenset({"command", "status"}), frozenset({"output"})),
}
COMMON = frozenset({"id", "kind", "source", "conference", "visitor", "roles", "since", "until"})
PATTERNS = ("contains", "matches", "message", "context", "output", "line")
PARTICIPANTS = "participants"
"""A value of `seen_in`: what the participants of the short conference saw; others are log files."""


@dataclass(frozen=True, slots=True)
class ContractEntry:
    """One thing that can be observed of a package; `what` holds the keys of its kind.

    The keys are described in docs/contract.md.  `versions` says of which versions of the package it
    is known; None is all.  With `conference` it is looked for around a short
    conference, and one node that shows it is enough; with `visitor` the lab must have a visitor
    Prosody, and the conference has a visitor.
    """

    id: str
    package: str
    kind: EntryKind
    source: str
    what: Mapping[str, Any]
    roles: frozenset[Role]
    conference: bool = False
    visitor: bool = False
    versions: Versions | None = None


def load_table(folder: Path = FOLDER) -> list[ContractEntry]:
    """All entries, in the order of packages and files.

    Errors: LabError that lists everything that is wrong with the tables.
    """
    entries: list[ContractEntry] = []
    problems: list[str] = []
    for package in MAIN_PACKAGES:
        file = folder / f"{package}.toml"
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        problems += [
            f"{file.name}: '{key}' is not a table of entries" for key in set(data) - {"entry"}
        ]
        for raw in data.get("entry", []):
            name = f"{file.name}: '{raw.get('id', '(no id)')}'"
            found = [*_problems(raw), *_range_problems(package, raw)]
            problems += [f"{name}: {problem}" for problem in found]
            if not found:
                entries.append(_entry(package, raw))
    names = [entry.id for entry in entries]
    problems += [f"'{name}' is defined twice" for name in set(names) if names.count(name) > 1]
    if problems:
        raise LabError("The contract's tables are wrong:\n    " + "\n    ".join(sorted(problems)))
    return entries


def _problems(raw: Mapping[str, Any]) -> Iterable[str]:
    for key in ("id", "kind", "source"):
        if not str(raw.get(key, "")).strip():
            yield f"it has no '{key}'"
    if raw.get("kind") not in list(EntryKind):
        yield f"'{raw.get('kind')}' is not a kind"
        return
    must, may = KEYS[EntryKind(raw["kind"])]
    lacking, strange = must - set(raw), set(raw) - must - may - COMMON
    if lacking:
        yield f"it lacks {', '.join(sorted(lacking))}"
    if strange:
        yield f"it has unknown keys {', '.join(sorted(strange))}"
    for role in raw.get("roles", ()):
        if role not in list(Role):
            yield f"'{role}' is not a role"
    for key in PATTERNS:
        try:
            re.compile(str(raw.get(key, "")))
        except re.error as error:
            yield f"'{key}' is not a valid pattern: {error}"
    # The node searches whole lines, `find_differences` only what follows the line's head.
    if str(raw.get("message", "")).startswith("^"):
        yield "'message' must not begin with '^'"


def _range_problems(package: str, raw: Mapping[str, Any]) -> Iterable[str]:
    ends = {key: raw[key] for key in ("since", "until") if key in raw}
    if ends and package not in NEWEST:
        yield f"'{package}' has no known order of versions, so {', '.join(ends)} means nothing"
    for key, version in ends.items():
        if parse_numbers(str(version)) is None:
            yield f"'{key}' is not a version such as '2.3-294': '{version}'"


def _entry(package: str, raw: Mapping[str, Any]) -> ContractEntry:
    since, until = raw.get("since"), raw.get("until")
    installed = [row.role for row in rows() if package in row.packages]
    return ContractEntry(
        id=raw["id"],
        package=package,
        kind=EntryKind(raw["kind"]),
        source=raw["source"],
        what={key: value for key, value in raw.items() if key not in COMMON},
        roles=frozenset(Role(role) for role in raw.get("roles", installed)),
        conference=bool(raw.get("conference", False)),
        visitor=bool(raw.get("visitor", False)),
        versions=Versions(package, since, until) if since or until else None,
    )
