"""Sets of packages in which some come from one source and some from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.gate.bisected import Answer
from labctl.gate.exchange import (
    Constraint,
    Exchange,
    Member,
    Relation,
    broken,
    members_of,
    parse_relations,
    read_member,
    unfolded,
)
from labctl.gate.firstbad import find_in_versions, load_versions
from labctl.gate.run import GatePlan, GateRun
from labctl.gate.trials import Symptom, Trials
from labctl.images.debs import Deb
from tests.gate.test_bisect import (
    BUSY,
    OTHER,
    PASSED,
    SAME,
    failing,
    finding,
    first_bad,
    member,
    members,
)
from tests.repository import build_deb

META = "jitsi-meet"


def needs(name: str, *others: str) -> Constraint:
    return Constraint(name, tuple(Relation(other) for other in others))


def refuses(name: str, *others: str) -> Constraint:
    return replace(needs(name, *others), refused=True)


def test_only_packages_that_differ_are_exchanged() -> None:
    good, bad = members("1", "a", "b", "only-good"), members("2", "a", "c")
    same = member("b", "1")
    exchange = Exchange.of(good, {**bad, "b": same})
    assert exchange.names == ("a", "c", "only-good")
    assert exchange.versions("a") == ("1", "2")
    assert exchange.versions("only-good") == ("1", "-")
    assert set(exchange.mixed({"only-good", "c"})) == {"a", "b", "c"}
    assert exchange.mixed({"a"})["a"].deb.version == "2"


def test_a_metapackage_that_does_not_fit_is_left_out_but_for_its_own_sake() -> None:
    """It holds no software, so what is bad in it can be tried only with it."""
    meta = member(META, "2", refuses(META, "b"))
    exchange = Exchange.of(members("1", "a", "b"), {**members("2", "a", "b"), META: meta})
    assert META in exchange.mixed({META})
    assert META not in exchange.mixed({META, "a"})
    assert META not in exchange.mixed({"a"})
    fits = Exchange.of(
        {**members("1", "a"), META: member(META, "1")}, members("2", "a", META)
    )  # fmt: skip
    assert META in fits.mixed({"a"})


def test_what_cannot_be_exchanged_alone_goes_with_what_it_needs_and_so_on() -> None:
    good = {
        "a": member("a", "1"),
        "b": member("b", "1", refuses("b", "new-a")),
        "c": member("c", "1"),
        "d": member("d", "1"),
    }
    bad = {
        "new-a": member("new-a", "2"),
        "b": member("b", "2", refuses("b", "c")),
        "d": member("d", "2"),
    }
    exchange = Exchange.of(good, bad)
    assert exchange.names == ("a", "b", "c", "d", "new-a")
    assert exchange.closure({"d"}) == {"d"}
    # The old b refuses it, and the new one refuses c, which only the good set has.
    assert exchange.closure({"new-a"}) == {"new-a", "b", "c"}


def test_packages_that_are_the_same_in_both_sets_are_never_exchanged() -> None:
    same = member("same", "1", refuses("same", "a"))
    exchange = Exchange.of(
        {"a": member("a", "1"), "same": same}, {"a": member("a", "2"), "same": same}
    )
    assert exchange.closure({"a"}) == {"a"}


def test_what_does_not_hold_is_told_of_those_that_are_asked_about() -> None:
    a = member("a", "1", refuses("a", "b"), needs("a", "z"), refuses("a", "c", "b"))
    b = member("b", "1", refuses("b", "a"))
    both = {"a": a, "b": b}
    assert broken(both, both) == [a.constraints[0], a.constraints[2], b.constraints[0]]
    assert broken({"b": b}, both) == [b.constraints[0]]
    assert broken({"a": a}, {"a": a}) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" , ", []),
        ("aa", ["aa"]),
        ("aa (>= 1.0), bb", ["aa (>= 1.0)", "bb"]),
        ("aa(>=1.0)", ["aa (>= 1.0)"]),
        ("aa:any (= 1), bb | cc (<< 2)", ["aa (= 1)", "bb | cc (<< 2)"]),
        ("${misc:Depends}, aa", ["aa"]),
        ("aa | ${x}", ["aa"]),
    ],
)
def test_relations_as_packages_write_them(text: str, found: list[str]) -> None:
    assert [" | ".join(map(str, each)) for each in parse_relations(text)] == found


def test_fields_may_go_on_in_the_next_line() -> None:
    assert unfolded("Depends: a,\n b,\n\t  c\nVersion: 1\n") == "Depends: a, b, c\nVersion: 1\n"


@pytest.mark.programs
def test_what_a_package_wants_of_others(tmp_path: Path) -> None:
    fields = "Pre-Depends: aa\nDepends: bb,\n cc\nConflicts: dd\nBreaks: ee (<< 2)\nReplaces: ff\n"
    file = build_deb(tmp_path, "jicofo", fields=fields)
    deb = Deb("jicofo", "1.0-1", "all", file, "x")
    expected = Member(
        deb,
        (
            needs("jicofo", "aa"),
            needs("jicofo", "bb"),
            needs("jicofo", "cc"),
            refuses("jicofo", "dd"),
            Constraint("jicofo", (Relation("ee", "<<", "2"),), refused=True),
        ),
    )
    assert read_member(deb) == expected
    assert members_of([deb]) == {"jicofo": expected}
    damaged = replace(deb, file=tmp_path / "none.deb")
    assert read_member(damaged) == Member(damaged)


# Versions.


@pytest.mark.programs
def test_versions_are_in_the_order_of_their_packages(tmp_path: Path) -> None:
    """And not in that of their names, whatever else a version brings."""
    for name, packages in {
        "a": {"jicofo": "1.0-10", "other": "1"},
        "b": {"jicofo": "1.0-9", "other": "9"},
        "c": {"jicofo": "1.0-10", "other": "2"},
    }.items():
        (tmp_path / name / "deep").mkdir(parents=True)
        for package, version in packages.items():
            build_deb(tmp_path / name / "deep", package, version=version)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("words")
    found = load_versions(tmp_path)
    assert [each.name for each in found] == ["b", "a", "c"]
    assert {name: each.deb.version for name, each in found[0].members.items()} == {
        "jicofo": "1.0-9", "other": "9",
    }  # fmt: skip


@pytest.mark.programs
def test_versions_that_share_no_package_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("v10", "v9", "v100"):
        (tmp_path / name).mkdir()
        build_deb(tmp_path / name, f"only-in-{name}")
    assert [each.name for each in load_versions(tmp_path)] == ["v9", "v10", "v100"]


@pytest.mark.programs
def test_files_of_one_package_are_versions_of_it(tmp_path: Path) -> None:
    for version in ("1.0-10", "1.0-9"):
        build_deb(tmp_path, "jicofo", version=version)
    (tmp_path / "._jicofo_1.0-9_all.deb").write_text("macOS wrote this")
    found = load_versions(tmp_path)
    assert [each.name for each in found] == ["1.0-9", "1.0-10"]
    assert [list(each.members) for each in found] == [["jicofo"], ["jicofo"]]
    assert found[1].members["jicofo"].deb.version == "1.0-10"


@pytest.mark.programs
def test_folders_that_are_no_versions_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_versions(tmp_path / "none")
    assert caught.value.message == f"'{tmp_path}/none' is not a folder."
    assert caught.value.hint == "It holds a folder for each version."
    with pytest.raises(LabError) as missing:
        load_versions(tmp_path)
    assert missing.value.message == f"'{tmp_path}' has no .deb files."
    build_deb(tmp_path, "bb")
    build_deb(tmp_path, "aa")
    with pytest.raises(UsageError) as several:
        load_versions(tmp_path)
    assert several.value.message == f"'{tmp_path}' holds files of several packages: aa, bb."
    assert several.value.hint == (
        "Make a folder for each version, with the packages that belong together."
    )


def test_that_a_version_after_a_bad_one_is_bad_is_an_assumption(tmp_path: Path) -> None:
    note = "a version after a bad one is taken to be bad"
    assert first_bad(tmp_path / "3", [PASSED, SAME, SAME]).notes == (note,)
    assert first_bad(tmp_path / "2", [PASSED, SAME]).notes == ()


def test_a_doubt_names_the_last_good_and_the_first_bad_version(tmp_path: Path) -> None:
    found = first_bad(tmp_path, [PASSED, OTHER, SAME])
    assert (found.answer, found.culprits) == (
        Answer.UNCLEAR, ({"version": ("1.0-0", "1.0-2")},),
    )  # fmt: skip
    assert found.notes == ("a version after a bad one is taken to be bad",)


@pytest.mark.parametrize(
    ("newest", "says"),
    [
        (PASSED, "version 1.0-1 is not bad here: as good as the baseline"),
        (BUSY, "version 1.0-1 could not judge: this machine was too busy"),
    ],
)
def test_if_the_newest_is_not_bad_that_is_said(newest: object, says: str, tmp_path: Path) -> None:
    found = first_bad(tmp_path, [PASSED, newest])  # type: ignore[list-item]
    assert found.says == says


def test_the_newest_of_many_versions_must_be_bad(tmp_path: Path) -> None:
    found = first_bad(tmp_path, [SAME, PASSED, PASSED])
    assert found.says == "version 1.0-2 is not bad here: as good as the baseline"


def test_what_is_searched_for_stays_what_the_newest_shows(tmp_path: Path) -> None:
    one, other = finding("tests", "a"), finding("tests", "b")
    found = first_bad(tmp_path, [PASSED, failing(one), failing(one, other)])
    assert found.says == "the first bad version is 1.0-1; 1.0-0 is good"
    assert found.symptoms == (Symptom("tests", "a"), Symptom("tests", "b"))


def test_versions_are_searched_for_what_the_newest_shows(tmp_path: Path) -> None:
    """Others that fail otherwise say nothing, and once it is known only that is looked for."""
    asked: list[GatePlan] = []

    def gate(plan: GatePlan) -> GateRun:
        asked.append(plan)
        return GateRun(OTHER if "/1/" in plan.candidate else SAME, tmp_path)

    plan = GatePlan("", baseline="debs:/good", runs=3, drills=("failover",))
    trials = Trials.open(plan, tmp_path, key="k", fresh=False, progress=silent)
    trials.gate = gate
    found = find_in_versions(["old", "new"], [members("1"), members("2")], trials)
    assert trials.symptoms == {Symptom("tests", "acceptance/test_visitors.py::test_vnode")}
    assert [(each.runs, each.drills) for each in asked] == [(3, ("failover",)), (1, ())]
    assert [each.what for each in found.trials] == ["version new", "version old"]
    assert found.says == "the first bad version is new, or one of old, which say nothing"
    assert found.culprits == ({"version": ("the good set", "new")},)
