"""The search for bad packages and versions, on trials that are made up."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

import pytest

from labctl.gate.search import (
    FirstBad,
    TrialOutcome,
    find_first_bad,
    find_suspects,
    minimal,
    split,
)

GOOD, BAD, UNKNOWN, IMPOSSIBLE = (
    TrialOutcome.GOOD,
    TrialOutcome.BAD,
    TrialOutcome.UNKNOWN,
    TrialOutcome.IMPOSSIBLE,
)
NAMES = tuple("abcdef")


class Trials:
    """Sets are bad if they hold one of `bad`; what `together` lists is installable only so."""

    def __init__(
        self, *bad: str, together: Iterable[str] = (), unknown: Iterable[str] = ()
    ) -> None:
        self.bad = [frozenset(each) for each in bad]
        self.together = [frozenset(each) for each in together]
        self.unknown = {frozenset(each) for each in unknown}
        self.tried: set[frozenset[str]] = set()

    def test(self, names: frozenset[str]) -> TrialOutcome:
        self.tried.add(names)
        if any(names & each and not each <= names for each in self.together):
            return IMPOSSIBLE
        if names in self.unknown:
            return UNKNOWN
        return BAD if any(each <= names for each in self.bad) else GOOD

    def closure(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(names).union(*(each for each in self.together if each & set(names)))

    def find(self) -> tuple[list[str], str]:
        found = find_suspects(NAMES, self.test, closure=self.closure)
        return ["".join(sorted(each)) for each in found.sets], "".join(sorted(found.unsure))


def test_one_package() -> None:
    trials = Trials("d")
    assert trials.find() == (["d"], "")
    assert max(map(len, trials.tried)) == 5  # the rest, to know that it is good


def test_two_packages_each_bad_alone() -> None:
    assert Trials("b", "e").find() == (["b", "e"], "")


def test_two_that_are_bad_only_together() -> None:
    assert Trials("be").find() == (["be"], "")


def test_three_that_are_bad_only_together() -> None:
    assert Trials("ace").find() == (["ace"], "")


def test_one_alone_and_two_together() -> None:
    assert Trials("b", "ce").find() == (["b", "ce"], "")


def test_one_that_cannot_be_exchanged_alone_goes_with_what_it_needs() -> None:
    trials = Trials("c", together=["cd"])
    assert trials.find() == (["cd"], "cd")
    assert frozenset("cd") in trials.tried


def test_a_member_that_could_not_be_left_out_is_unsure() -> None:
    assert Trials("be", unknown=["b"]).find() == (["be"], "e")


def test_all_that_belong_together() -> None:
    trials = Trials("c", together=["abcdef"])
    assert trials.find() == (["abcdef"], "abcdef")


@pytest.mark.parametrize("seed", range(40))
def test_what_is_found_is_bad_and_nothing_of_it_can_be_left_out(seed: int) -> None:
    rng = random.Random(seed)
    bad = ["".join(rng.sample(NAMES, rng.randint(1, 4))) for _ in range(rng.randint(1, 3))]
    trials = Trials(*bad)
    found, unsure = trials.find()
    assert found and not unsure
    for each in map(frozenset, found):
        assert trials.test(each) is BAD
        assert all(trials.test(each - {name}) is GOOD for name in each)


def test_a_set_is_made_minimal_with_few_trials() -> None:
    names = frozenset(map(str, range(64)))
    trials = Trials()
    trials.bad = [frozenset({"17"})]
    assert minimal(names, trials.test) == {"17"}
    assert len(trials.tried) <= 14


def test_parts_have_about_the_same_size() -> None:
    assert [len(each) for each in split("abcdefg", 3)] == [2, 2, 3]


def versions(text: str) -> tuple[FirstBad | None, list[int]]:
    """The first bad one of versions written as g(ood), b(ad) and ? (not to be tried)."""
    tried: list[int] = []

    def test(index: int) -> TrialOutcome:
        tried.append(index)
        return {"g": GOOD, "b": BAD, "?": UNKNOWN}[text[index]]

    return find_first_bad(len(text), test), tried


@pytest.mark.parametrize("first", range(16))
def test_the_first_bad_version(first: int) -> None:
    found, tried = versions("g" * first + "b" * (16 - first))
    assert found == FirstBad(first - 1, first)
    assert len(tried) <= 6
    assert len(set(tried)) == len(tried)


def test_the_newest_is_not_bad() -> None:
    assert versions("ggg") == (None, [2])
    assert versions("gb?") == (None, [2])


def test_versions_that_say_nothing_are_passed_over() -> None:
    assert versions("gg?b??b")[0] == FirstBad(1, 3, (2,))
    assert versions("gg??gbb")[0] == FirstBad(4, 5)
    assert versions("??b")[0] == FirstBad(-1, 2, (0, 1))
