"""Schemas of types: exactly what `to_plain` writes is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from labctl.core.plain import to_plain
from labctl.core.schema import SchemaMaker
from tests.schemas import filled


class Word(StrEnum):
    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class Inner:
    """What is inside.

    More about it.
    """

    word: Word
    pair: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Outer:
    """What is outside."""

    name: str
    inner: Inner
    maybe: Inner | None = None
    many: tuple[Inner, ...] = ()
    listed: Sequence[float] = ()
    named: Mapping[str, Inner | None] = field(default_factory=dict)
    anything: Any = None


def schema() -> dict[str, Any]:
    maker = SchemaMaker()
    return maker.document(maker.object(Outer), title="outer")


@pytest.mark.parametrize("full", [True, False])
def test_what_is_written_is_valid(*, full: bool) -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(to_plain(filled(Outer, full=full)))


@pytest.mark.parametrize(
    "change",
    [
        {"name": 3},
        {"more": 1},
        {"inner": {"word": "c", "pair": ["x", 1]}},
        {"inner": {"word": "a", "pair": ["x"]}},
        {"many": [{}]},
        {"maybe": "x"},
    ],
    ids=["type", "unknown", "word", "pair", "missing", "union"],
)
def test_other_data_is_not(change: dict[str, Any]) -> None:
    data = to_plain(filled(Outer)) | change
    with pytest.raises(ValidationError):
        Draft202012Validator(schema()).validate(data)


def test_each_class_is_defined_once_with_its_first_paragraph() -> None:
    found = schema()
    assert set(found["$defs"]) == {"Inner", "Word"}
    assert found["$defs"]["Inner"]["description"] == "What is inside."
    assert found["$defs"]["Word"] == {"enum": ["a", "b"]}


def test_a_type_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        SchemaMaker().schema(complex)
