"""The common form of all kinds of configuration, and the comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Place = tuple[str, ...]
"""The place of a setting: nested blocks from the outside in; empty is the top level."""

Sections = Mapping[Place, Mapping[str, frozenset[str]]]
"""Place -> name -> values.  A setting with one value is a set of one."""

SECRET = "(secret)"
WHOLE = "(whole)"
"""The name of a difference that is a section which only one side has."""

_SECRET_NAME = re.compile(r"(password|secret)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class SettingDifference:
    """One setting that differs; None on the side that does not have it."""

    area: str
    where: str
    name: str
    packaged: str | None
    placed: str | None


def compare(area: str, packaged: Sections, placed: Sections) -> list[SettingDifference]:
    """Every difference, sorted; a section that one side lacks is one, with all its content."""
    found: list[SettingDifference] = []
    for place in sorted({*packaged, *placed}):
        parents = [place[:depth] for depth in range(1, len(place))]
        if any((parent in packaged) != (parent in placed) for parent in parents):
            continue
        where = " > ".join(place)
        if place and (place in packaged) != (place in placed):
            texts = (_whole(packaged, place), _whole(placed, place))
            found.append(SettingDifference(area, where, WHOLE, *texts))
            continue
        found += _compare_section(area, where, packaged.get(place, {}), placed.get(place, {}))
    return sorted(found, key=lambda it: (it.where, it.name, it.packaged or "", it.placed or ""))


def _compare_section(
    area: str,
    where: str,
    packaged: Mapping[str, frozenset[str]],
    placed: Mapping[str, frozenset[str]],
) -> Iterator[SettingDifference]:
    for name in sorted({*packaged, *placed}):
        old, new = packaged.get(name, frozenset()), placed.get(name, frozenset())
        gone, come = sorted(old - new), sorted(new - old)
        if len(old) == len(new) == len(gone) == 1:
            yield SettingDifference(area, where, name, gone[0], come[0])
            continue
        yield from (SettingDifference(area, where, name, value, None) for value in gone)
        yield from (SettingDifference(area, where, name, None, value) for value in come)


def _whole(sections: Sections, place: Place) -> str | None:
    """A section with the sections in it, as one text; None if there is none."""
    if place not in sections:
        return None
    parts = []
    for other in sorted(sections):
        if other[: len(place)] == place:
            inner = " > ".join(other[len(place) :])
            for name, values in sorted(sections[other].items()):
                key = f"{inner} > {name}" if inner else name
                parts.append(f"{key} = {', '.join(sorted(values))}")
    return "; ".join(parts)


def flatten(tree: Mapping[str, Any], *, ordered: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """Nested plain data as dotted names; a list is a set unless its name is in `ordered`.

    The values of secrets are always replaced.
    """
    found: dict[str, frozenset[str]] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            inner = flatten(value, ordered=ordered)
            found |= {f"{key}.{name}": values for name, values in inner.items()}
        elif isinstance(value, list) and key not in ordered:
            found[key] = frozenset(map(text_of, value)) or frozenset({"[]"})
        else:
            found[key] = frozenset({text_of(value)})
    return {
        name: frozenset({SECRET}) if _is_secret(name, values) else values
        for name, values in found.items()
    }


def text_of(value: Any) -> str:
    """A scalar as people write it, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _is_secret(name: str, values: frozenset[str]) -> bool:
    return bool(_SECRET_NAME.search(name)) and not values <= {"true", "false"}
