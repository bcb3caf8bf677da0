"""JSON Schemas of values as `labctl.core.plain.to_plain` writes them: the types say everything."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_SCALARS: Mapping[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    Path: {"type": "string"},
    IPv4Address: {"type": "string", "format": "ipv4"},
    IPv4Network: {"type": "string"},
    type(None): {"type": "null"},
    Any: {},
}


@dataclass(slots=True)
class SchemaMaker:
    """Makes the schema of one document.

    `special` are schemas of types that do not write themselves field by field.  Dataclasses and
    enums become definitions of the document, by their names.
    """

    special: Mapping[type, Schema] = field(default_factory=dict)
    definitions: dict[str, Schema] = field(default_factory=dict)
    _names: dict[type, str] = field(default_factory=dict)

    def schema(self, kind: Any) -> Schema:
        """The schema of a type.  Errors: TypeError for one that JSON cannot hold."""
        if kind in self.special:
            return dict(self.special[kind])
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, Enum)):
            return {"$ref": f"#/$defs/{self._define(kind)}"}
        return self._generic(kind)

    def object(self, kind: type) -> Schema:
        """The schema of a dataclass, not as a definition: all fields are always there."""
        hints = typing.get_type_hints(kind)
        return object_of(
            {each.name: self.schema(hints[each.name]) for each in fields(kind)},
            description=first_paragraph(kind),
        )

    def document(self, schema: Schema, *, title: str) -> Schema:
        """A whole schema with the definitions that it needs."""
        definitions = dict(sorted(self.definitions.items()))
        more = {"$defs": definitions} if definitions else {}
        return {"$schema": DRAFT, "title": title, **schema, **more}

    def _define(self, kind: type) -> str:
        if kind in self._names:
            return self._names[kind]
        # Two packages may have a class of one name.
        taken = kind.__name__ in self.definitions
        name = f"{kind.__module__.split('.')[1]}.{kind.__name__}" if taken else kind.__name__
        self._names[kind] = name
        self.definitions[name] = {}
        self.definitions[name] = (
            {"enum": [str(item) for item in kind]} if issubclass(kind, Enum) else self.object(kind)
        )
        return name

    def _generic(self, kind: Any) -> Schema:
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            return {"anyOf": [self.schema(each) for each in inner]}
        if origin is tuple and inner[-1:] != (Ellipsis,):
            items = [self.schema(each) for each in inner]
            return {"type": "array", "prefixItems": items, "minItems": len(items),
                    "maxItems": len(items)}  # fmt: skip
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.schema(inner[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.schema(inner[0])}
        raise TypeError(f"JSON has nothing for {kind!r}")


def object_of(properties: Mapping[str, Schema], *, description: str = "") -> Schema:
    """The schema of an object that has exactly these properties."""
    about = {"description": description} if description else {}
    return {
        **about,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def first_paragraph(kind: type) -> str:
    """The first paragraph of a class's docstring."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
