"""Values go through plain data and come back equal, or it is said where they do not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any

import pytest

from labctl.core.plain import from_plain, to_plain


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    parts: tuple[Part, ...]
    pairs: tuple[tuple[str, int], ...]
    sizes: Mapping[str, float]
    address: IPv4Address
    good: bool
    extra: Mapping[str, Any] = field(default_factory=dict)
    count: int = 3


WHOLE = Whole(
    (Part("a", Colour.RED), Part("b")),
    (("x", 1), ("y", 2)),
    {"m": 2.5},
    IPv4Address("10.0.0.1"),
    True,
    {"any": [1, None, {"deep": "text"}]},
)
PLAIN = json.loads(json.dumps(to_plain(WHOLE)))


def test_plain_data_is_readable_by_other_programs() -> None:
    assert PLAIN["parts"] == [{"name": "a", "colour": "red"}, {"name": "b", "colour": None}]
    assert PLAIN["pairs"] == [["x", 1], ["y", 2]]
    assert PLAIN["address"] == "10.0.0.1"


def test_a_value_comes_back() -> None:
    assert from_plain(Whole, PLAIN) == WHOLE


def test_keys_of_a_later_labctl_are_passed_over_and_missing_ones_have_defaults() -> None:
    data = {name: value for name, value in PLAIN.items() if name not in ("extra", "count")}
    assert from_plain(Whole, {**data, "later": 1}).count == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": None}, "'parts' must be a list, got None"),
        ({"parts": [{"name": "a", "colour": "green"}]}, "'parts[0].colour': 'green' is"),
        ({"parts": [{"colour": "red"}]}, "'parts[0].name' is missing"),
        ({"parts": ["a"]}, "'parts[0]' must be an object, got 'a'"),
        ({"pairs": [["x"]]}, "'pairs[0]' must be a list of 2, got 1"),
        ({"pairs": [["x", True]]}, "'pairs[0][1]' must be a number, got True"),
        ({"sizes": {"m": "2"}}, "'sizes.m' must be a number, got '2'"),
        ({"sizes": []}, "'sizes' must be an object, got []"),
        ({"count": 2.5}, "'count' must be a whole number, got 2.5"),
        ({"good": 1}, "'good' must be true or false, got 1"),
        ({"address": "10.0.0"}, "'address': Expected 4 octets"),
        ({"address": 7}, "'address' must be a word, got 7"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_plain(Whole, {**PLAIN, **change})
    assert str(caught.value).startswith(said)


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    assert from_plain(Whole, {**PLAIN, "sizes": {"m": 2}}).sizes == {"m": 2.0}


@dataclass(frozen=True, slots=True)
class Derived:
    words: Sequence[Part]
    count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", len(self.words))


def test_what_a_value_makes_of_itself_is_not_written_and_any_sequence_is_read() -> None:
    value = Derived((Part("a"), Part("b", Colour.BLUE)))
    plain = to_plain(value)
    assert list(plain) == ["words"]
    assert from_plain(Derived, plain) == value
    assert from_plain(Derived, {"words": []}).count == 0
    with pytest.raises(ValueError, match="'words' must be a list"):
        from_plain(Derived, {"words": "ab"})
