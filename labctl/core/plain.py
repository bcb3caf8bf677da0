"""Values as plain data and back: frozen dataclasses, enums, sequences and mappings of them.

The types of a dataclass say how its data is read, so nothing is written twice.  Results that pass
from one part of labctl to another, or to other programs, are converted here.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar, cast

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A value as JSON can hold it; fields of dataclasses by name, in their order.

    Fields that a dataclass makes from others (`init=False`) are left out.
    """
    if is_dataclass(value):
        given = (each.name for each in fields(value) if each.init)
        return {name: to_plain(getattr(value, name)) for name in given}
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, StrEnum | IPv4Address | IPv4Network):
        return str(value)
    return value


def from_plain(kind: type[T], data: object, *, where: str = "") -> T:
    """The value that `to_plain` turned into `data`.

    Keys that the type does not have are ignored; a field without data gets its default.
    Errors: ValueError that names the place and what was expected there.
    """
    return cast(T, _read(kind, data, where))


def _read(kind: Any, data: object, where: str) -> object:
    if kind is Any:
        return data
    if is_dataclass(kind):
        return _read_fields(cast(type, kind), data, where)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _read_union(typing.get_args(kind), data, where)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), data, where)
    if origin is Sequence:
        return _read_tuple((*typing.get_args(kind), ...), data, where)
    if origin is not None and issubclass(origin, Mapping):
        return _read_mapping(typing.get_args(kind), data, where)
    return _read_scalar(kind, data, where)


def _read_fields(kind: type, data: object, where: str) -> object:
    found = _want(Mapping, data, where, "an object")
    values = {}
    for name, (hint, required) in _hints(kind).items():
        place = f"{where}.{name}" if where else name
        if name in found:
            values[name] = _read(hint, found[name], place)
        elif required:
            raise ValueError(f"'{place}' is missing")
    return kind(**values)


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, tuple[Any, bool]]:
    """Each field of the type: its own type, and whether it is required."""
    hints = typing.get_type_hints(kind)
    return {
        each.name: (
            hints[each.name],
            each.default is MISSING and each.default_factory is MISSING,
        )
        for each in fields(kind)
        if each.init
    }


def _read_union(kinds: tuple[Any, ...], data: object, where: str) -> object:
    """Read `X | None`; for other unions, the first type that fits."""
    if data is None and type(None) in kinds:
        return None
    problems: list[ValueError] = []
    for kind in kinds:
        if kind is not type(None):
            try:
                return _read(kind, data, where)
            except ValueError as error:
                problems.append(error)
    raise problems[0]


def _read_tuple(kinds: tuple[Any, ...], data: object, where: str) -> object:
    items = _want((list, tuple), data, where, "a list")
    if len(kinds) == 2 and kinds[1] is ...:
        kinds = (kinds[0],) * len(items)
    if len(items) != len(kinds):
        raise ValueError(f"{_place(where)} must be a list of {len(kinds)}, got {len(items)}")
    pairs = zip(kinds, items, strict=True)
    return tuple(_read(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _read_mapping(kinds: tuple[Any, ...], data: object, where: str) -> object:
    found = _want(Mapping, data, where, "an object")
    key, value = kinds
    return {
        _read(key, name, where): _read(value, item, f"{where}.{name}")
        for name, item in found.items()
    }


def _read_scalar(kind: Any, data: object, where: str) -> object:
    if issubclass(kind, StrEnum | IPv4Address | IPv4Network):
        word = _want(str, data, where, "a word")
        try:
            return kind(word)
        except ValueError as error:
            raise ValueError(f"{_place(where)}: {error}") from None
    if kind is float:
        return float(_want_number(data, where))
    if kind is int:
        number = _want_number(data, where)
        if isinstance(number, int):
            return number
        raise ValueError(f"{_place(where)} must be a whole number, got {data!r}")
    return _want(kind, data, where, {str: "a text", bool: "true or false"}[kind])


def _want_number(data: object, where: str) -> int | float:
    if isinstance(data, int | float) and not isinstance(data, bool):
        return data
    raise ValueError(f"{_place(where)} must be a number, got {data!r}")


def _want(kind: Any, data: object, where: str, words: str) -> Any:
    if isinstance(data, kind):
        return data
    raise ValueError(f"{_place(where)} must be {words}, got {data!r}"[:200])


def _place(where: str) -> str:
    return f"'{where}'" if where else "it"
