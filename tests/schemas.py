"""Outputs of `--json` against docs/schemas/, and values in which every field has something."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"
SCALARS: Mapping[Any, Any] = {
    bool: True,
    int: 3,
    float: 0.5,
    str: "text",
    Path: Path("/a/file"),
    IPv4Address: IPv4Address("192.168.56.105"),
    IPv4Network: IPv4Network("192.168.56.0/24"),
    type(None): None,
    Any: {"any": ["thing", 1]},
}


@cache
def validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def checked(name: str, data: Any) -> Any:
    """The data, which must be as the schema says once it has been through JSON."""
    plain = json.loads(data if isinstance(data, str) else json.dumps(data))
    validator(name).validate(plain)
    return plain


def filled(kind: Any, *, full: bool = True) -> Any:
    """A value of a type in which every field has something (`full`), or as little as it may."""
    if kind in SCALARS:
        return SCALARS[kind]
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        own = [each for each in fields(kind) if each.init]
        return typing.cast(type, kind)(
            **{each.name: filled(hints[each.name], full=full) for each in own}
        )
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        choices = [each for each in inner if each is not type(None)]
        may_be_none = len(choices) < len(inner)
        return filled(choices[0], full=full) if full or not may_be_none else None
    if origin is tuple and inner[-1:] != (Ellipsis,):
        return tuple(filled(each, full=full) for each in inner)
    if issubclass(origin, Mapping):
        return {filled(inner[0]): filled(inner[1], full=full)} if full else {}
    assert issubclass(origin, Sequence)
    return (filled(inner[0], full=full),) if full else ()
