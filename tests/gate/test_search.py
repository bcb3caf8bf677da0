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
    """Sets are bad if they hold one of `bad`; what `together` lists is installable only so, and
    what `related` lists depends on each other and is installable alone all the same."""

    def __init__(
        self,
        *bad: str,
        together: Iterable[str] = (),
        related: Iterable[str] = (),
        unknown: Iterable[str] = (),
    ) -> None:
        self.bad = [frozenset(each) for each in bad]
        self.together = [frozenset(each) for each in together]
        self.related = [*self.together, *map(frozenset, related)]
        self.unknown = {frozenset(each) for each in unknown}
        self.tried: set[frozenset[str]] = set()
        self.asked: list[str] = []

    def test(self, names: frozenset[str]) -> TrialOutcome:
        self.tried.add(names)
        self.asked.append("".join(sorted(names)))
        if any(names & each and not each <= names for each in self.together):
            return IMPOSSIBLE
        if names in self.unknown:
            return UNKNOWN
        return BAD if any(each <= names for each in self.bad) else GOOD

    def closure(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(names).union(*(each for each in self.related if each & set(names)))

    def find(self, names: Iterable[str] = NAMES) -> tuple[list[str], str]:
        found = find_suspects(tuple(names), self.test, closure=self.closure)
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


@pytest.mark.parametrize(
    ("names", "trials", "found", "asked"),
    [
        pytest.param("abcdef", Trials("d"), "d", "a b c d e f abcef", id="one"),
        pytest.param("ab", Trials("a", "b"), "a b", "a b", id="each"),
        pytest.param("abc", Trials("a", "b"), "a b", "a b c", id="one is left and good"),
        pytest.param(
            "abcd", Trials("a", "b", "cd"), "a b cd", "a b c d cd c d | c d", id="two are left"
        ),
        pytest.param(
            "abcdef",
            Trials("c", together=["cd"]),
            "cd",
            "a b e f c cd c d d abef | c d",
            id="two that go together come last, and once",
        ),
        pytest.param(
            "abcd", Trials("c", related=["bc"]), "c", "a d b c abd", id="what can go alone does"
        ),
        pytest.param(
            "ab", Trials("a", together=["ab"]), "ab", "a b a b | a b", id="all that there are"
        ),
    ],
)
def test_each_trial_costs_a_lab(names: str, trials: Trials, found: str, asked: str) -> None:
    """What is asked twice is answered from the first time; what is asked at all is tried.

    After '|' is what members could be left out, which is asked in any order."""
    assert trials.find(names)[0] == found.split()
    ordered, _, rest = asked.partition("|")
    count = len(ordered.split())
    assert (trials.asked[:count], sorted(trials.asked[count:])) == (ordered.split(), rest.split())


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


@pytest.mark.parametrize(
    ("names", "trials", "asked"),
    [
        pytest.param("abcdefgh", Trials("c"), "abcd ab cd c", id="halves"),
        pytest.param(
            "abcdefghijkl",
            Trials("c", unknown=["abcdef"]),
            "abcdef ghijkl abc a bc b c",
            id="a part of what could not be tried",
        ),
        pytest.param(
            "abcdefgh",
            Trials("ah"),
            "abcd efgh ab cd ef gh cdefgh abefgh ab ef gh efgh abgh ab gh a b g h bgh agh"
            " a g h gh ah a h",
            id="at both ends",
        ),
        pytest.param(
            "abcdefgh",
            Trials("abh"),
            "abcd efgh ab cd ef gh cdefgh abefgh ab ef gh efgh abgh ab gh a b g h bgh agh abh"
            " a b h bh ah ab",
            id="three",
        ),
    ],
)
def test_parts_are_tried_in_the_order_of_ddmin(names: str, trials: Trials, asked: str) -> None:
    """Zeller and Hildebrandt, 2002: parts, what is left without each, then smaller parts; after a
    rest as many parts less one, after a part two."""
    assert minimal(frozenset(names), trials.test) == trials.bad[0]
    assert trials.asked == asked.split()


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
