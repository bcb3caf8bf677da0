"""The table in docs/lab-conf.md, made from the declarations of the keys."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from labctl.topology.keys import (
    Choice,
    DebianRelease,
    Declared,
    KeyGroup,
    KeyType,
    Memory,
    PerRole,
    WholeNumber,
    declared,
)
from labctl.topology.releases import known_releases
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.roles import rows
from labctl.topology.spec import VERSIONS_FILE, Packages, Spec

HEAD = "| key | flag | default | what it is |\n|---|---|---|---|\n"


def render_table() -> str:
    """Every key of lab.conf as a row of Markdown: key, flag, default, and what it is."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    for each in declared(Spec):
        key = each.key
        if isinstance(key.kind, PerRole):
            yield from (
                _row(inner, f"{key.path}.ROLE.", default=_by_role(inner))
                for inner in declared(key.kind.of)
            )
            continue
        if key.bare:
            more = f"The same as `{key.path}`, without an object."
            yield (f"`{key.top}`", f"`--{key.flag}`", default_text(each), more)
        yield _row(each, "")
        if isinstance(key.kind, KeyGroup):
            yield from (_row(inner, f"{key.path}.") for inner in declared(key.kind.of))
            if key.kind.of is Packages:
                yield _row(Declared("", VERSIONS_FILE, None), f"{key.path}.")


def _row(each: Declared, prefix: str, *, default: str | None = None) -> tuple[str, ...]:
    key = each.key
    flag = f"`--{key.flag}`" if key.flag else ""
    text = " ".join(filter(None, [key.help, bounds_text(key.kind), key.more]))
    shown = default_text(each) if default is None else default
    return f"`{prefix}{key.path}`", flag, shown, text


def bounds_text(kind: KeyType) -> str:
    """What a value of that type may be, as Markdown; empty if the help says enough."""
    match kind:
        case WholeNumber(least, most):
            return f"{least} to {most}."
        case DebianRelease():
            return f"One of {', '.join(f'`{name}`' for name in known_releases())}."
        case Choice(words):
            return f"One of {', '.join(f'`{word}`' for word in words)}."
        case _:
            return ""


def default_by_role(each: Declared, row: RoleFacts) -> str:
    """The default of a key of `Size` for one role, from the table of roles."""
    value = getattr(row.size, each.attribute)
    return f"{value / 1024:g} GiB" if isinstance(each.key.kind, Memory) else str(value)


def _by_role(each: Declared) -> str:
    return ", ".join(f"`{row.role}` {default_by_role(each, row)}" for row in rows())


def default_text(each: Declared) -> str:
    """The default of a key, as Markdown; empty if there is none."""
    if each.key.default is not None:
        return each.key.default
    value: Any = each.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, StrEnum) or (value and not isinstance(value, dict)):
        return f"`{value}`"
    return ""
