"""Bisection over sets and versions whose gates are made up, and what is read of real .deb files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli.gate import gate_command
from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.gate.bisect import BisectPlan, bisect, load_members
from labctl.gate.bisected import Answer, BisectResult
from labctl.gate.bisectreport import render_bisect
from labctl.gate.exchange import (
    Constraint,
    Exchange,
    Member,
    Members,
    Relation,
    broken,
    parse_relations,
    read_member,
    unfolded,
)
from labctl.gate.firstbad import find_in_versions, load_versions
from labctl.gate.model import Gate, GateFinding, GateVerdict, Severity, Side, Trouble
from labctl.gate.run import GatePlan, GateRun
from labctl.gate.search import TrialOutcome
from labctl.gate.suspects import find_in_sets
from labctl.gate.trials import Symptom, Trials, narrowed, outcome_of, source_of, symptoms_of
from labctl.images.debs import Deb
from tests.repository import build_deb

NAMES = ("jicofo", "jitsi-meet-prosody", "jitsi-meet-web-config", "jitsi-videobridge2")
PLAN = GatePlan("", baseline="debs:/good", runs=3, drills=("failover", "bridge-kill"))
CANDIDATE = Side("candidate", "debs:/x")


def member(name: str, version: str, *constraints: Constraint) -> Member:
    file = Path(f"/{version}/{name}.deb")
    return Member(Deb(name, version, "all", file, f"{name}-{version}"), constraints)


def members(version: str, *names: str) -> dict[str, Member]:
    return {name: member(name, version) for name in names or NAMES}


def failing(*findings: GateFinding) -> Gate:
    return Gate(GateVerdict.FAIL, "1 finding", CANDIDATE, findings=findings)


def finding(area: str, subject: str) -> GateFinding:
    return GateFinding(area, subject, Severity.FAIL, "it failed")


SAME = failing(finding("tests", "acceptance/test_visitors.py::test_vnode"))
OTHER = failing(finding("tests", "acceptance/test_ports.py::test_scan"))
PASSED = Gate(GateVerdict.PASS, "as good as the baseline", CANDIDATE)
BUSY = Gate(GateVerdict.NOT_JUDGED, "this machine was too busy", CANDIDATE)

Judge = Callable[[frozenset[str]], Gate]


def trials_of(tmp_path: Path, judge: Judge, *, plan: GatePlan = PLAN) -> tuple[Trials, list[str]]:
    """Trials whose gates see which packages are of version 2 and judge by that."""
    tried: list[str] = []

    def gate(plan: GatePlan) -> GateRun:
        new = frozenset(Path(file).stem for file in plan.candidate.split(",") if "/2/" in file)
        tried.append("+".join(sorted(new)))
        assert plan.folder is not None
        return GateRun(judge(new), plan.folder)

    found = Trials.open(plan, tmp_path, key="k", fresh=False, progress=silent)
    found.gate = gate
    return found, tried


def search(tmp_path: Path, judge: Judge, exchange: Exchange) -> tuple[BisectResult, list[str]]:
    trials, tried = trials_of(tmp_path, judge)
    assert trials.test(exchange.bad, what="the bad set") is TrialOutcome.BAD
    assert trials.search_for(exchange.bad)
    return find_in_sets(exchange, trials), tried


EXCHANGE = Exchange.of(members("1"), members("2"))


def test_one_package_is_found(tmp_path: Path) -> None:
    found, tried = search(tmp_path, lambda new: SAME if "jicofo" in new else PASSED, EXCHANGE)
    assert found.answer is Answer.FOUND
    assert found.says == "'jicofo' (1 -> 2) is bad"
    assert found.culprits == ({"jicofo": ("1", "2")},)
    assert found.symptoms == (Symptom("tests", "acceptance/test_visitors.py::test_vnode"),)
    assert tried[1:5] == list(NAMES)
    assert tried[5:] == ["+".join(NAMES[1:])]


def test_two_that_are_bad_only_together(tmp_path: Path) -> None:
    both = {"jicofo", "jitsi-videobridge2"}
    found, _ = search(tmp_path, lambda new: SAME if both <= new else PASSED, EXCHANGE)
    assert found.answer is Answer.TOGETHER
    assert found.says == "'jicofo' (1 -> 2) and 'jitsi-videobridge2' (1 -> 2) are bad only together"


def test_another_failure_is_not_the_one_that_is_searched_for(tmp_path: Path) -> None:
    def judge(new: frozenset[str]) -> Gate:
        if "jitsi-videobridge2" in new:
            return SAME
        return OTHER if "jicofo" in new else PASSED

    found, _ = search(tmp_path, judge, EXCHANGE)
    assert found.says == "'jitsi-videobridge2' (1 -> 2) is bad"
    outcomes = {trial.what: trial.outcome for trial in found.trials}
    assert outcomes["the good set with 'jicofo' of the bad one"] is TrialOutcome.OTHER


def test_a_machine_that_is_too_busy_is_said(tmp_path: Path) -> None:
    both = {"jicofo", "jitsi-videobridge2"}

    def judge(new: frozenset[str]) -> Gate:
        if both <= new:
            return SAME
        return BUSY if new == {"jicofo"} else PASSED

    found, _ = search(tmp_path, judge, EXCHANGE)
    assert "could not be told apart" in found.says
    assert found.notes == ("whether 'jitsi-videobridge2' must be part of it could not be tried",)


def needing(version: str) -> dict[str, Member]:
    """jitsi-meet-prosody needs jitsi-meet-web-config in its own version, as upstream's does."""
    exactly = Constraint("jitsi-meet-prosody", (Relation("jitsi-meet-web-config", "=", version),))
    return members(version) | {"jitsi-meet-prosody": member("jitsi-meet-prosody", version, exactly)}


@pytest.mark.programs
def test_what_cannot_be_installed_is_skipped_and_said(tmp_path: Path) -> None:
    exchange = Exchange.of(needing("1"), needing("2"))
    judge: Judge = lambda new: SAME if "jitsi-meet-prosody" in new else PASSED  # noqa: E731
    found, tried = search(tmp_path, judge, exchange)
    assert found.says == (
        "'jitsi-meet-prosody' (1 -> 2) and 'jitsi-meet-web-config' (1 -> 2) are bad,"
        " and could not be told apart"
    )
    assert "jitsi-meet-prosody" not in tried and "jitsi-meet-web-config" not in tried
    assert (
        "not tried: the good set with 'jitsi-meet-prosody' of the bad one:"
        " 'jitsi-meet-prosody' needs jitsi-meet-web-config (= 2)"
    ) in found.notes


def pinned(version: str) -> dict[str, Member]:
    """The metapackage wants the others as they were released with it."""
    pins = [Constraint("jitsi-meet", (Relation(name, "=", version),)) for name in NAMES]
    return members(version) | {"jitsi-meet": member("jitsi-meet", version, *pins)}


@pytest.mark.programs
def test_a_metapackage_does_not_keep_packages_from_being_exchanged(tmp_path: Path) -> None:
    exchange = Exchange.of(pinned("1"), pinned("2"))
    assert "jitsi-meet" not in exchange.mixed({"jicofo"})
    assert "jitsi-meet" in exchange.mixed(set())
    judge: Judge = lambda new: SAME if "jitsi-videobridge2" in new else PASSED  # noqa: E731
    found, tried = search(tmp_path, judge, exchange)
    assert found.says == "'jitsi-videobridge2' (1 -> 2) is bad"
    assert tried[1:] == [*NAMES, "+".join(NAMES[:3])]


def test_a_trial_is_made_once_even_after_an_interruption(tmp_path: Path) -> None:
    def interrupted(new: frozenset[str]) -> Gate:
        if new == {"jitsi-videobridge2"}:
            raise KeyboardInterrupt
        return SAME if "jitsi-videobridge2" in new else PASSED

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, interrupted, EXCHANGE)
    judge: Judge = lambda new: SAME if "jitsi-videobridge2" in new else PASSED  # noqa: E731
    found, tried = search(tmp_path, judge, EXCHANGE)
    assert found.says == "'jitsi-videobridge2' (1 -> 2) is bad"
    assert tried == ["jitsi-videobridge2", "+".join(NAMES[:3])]


def test_trials_of_another_bisection_do_not_count(tmp_path: Path) -> None:
    trials, _ = trials_of(tmp_path, lambda new: PASSED)
    trials.test(members("2"), what="x")
    assert Trials.open(PLAN, tmp_path, key="k", fresh=False, progress=silent).trials
    assert not Trials.open(PLAN, tmp_path, key="x", fresh=False, progress=silent).trials
    assert not Trials.open(PLAN, tmp_path, key="k", fresh=True, progress=silent).trials


def test_packages_that_one_set_lacks_are_exchanged_too() -> None:
    exchange = Exchange.of(members("1", "jicofo", "a"), members("2", "jicofo", "b"))
    assert exchange.names == ("a", "b", "jicofo")
    assert set(exchange.mixed({"a", "b"})) == {"jicofo", "b"}
    assert exchange.versions("b") == ("-", "2")


# What a gate says.


def troubled(phase: str, *, package: str | None = None, packages: bool = True) -> Gate:
    trouble = Trouble(phase, "apt cannot satisfy it.\na\nb", packages=packages, package=package)
    side = Side("candidate", "debs:/x", trouble=trouble)
    return Gate(GateVerdict.FAIL if packages else GateVerdict.NOT_JUDGED, "it failed", side)


DIES = Symptom("trouble", "jicofo in 'ready'")


@pytest.mark.parametrize(
    ("gate", "wanted", "outcome"),
    [
        (PASSED, {DIES}, TrialOutcome.GOOD),
        (BUSY, {DIES}, TrialOutcome.UNKNOWN),
        (SAME, {DIES}, TrialOutcome.OTHER),
        (SAME, set(), TrialOutcome.BAD),
        (troubled("ready", package="jicofo"), {DIES}, TrialOutcome.BAD),
        (troubled("ready", package="nginx"), {DIES}, TrialOutcome.OTHER),
        (troubled("images", package="jicofo"), {DIES}, TrialOutcome.IMPOSSIBLE),
        (troubled("images", package="jicofo"), set(), TrialOutcome.BAD),
        (troubled("images", packages=False), {DIES}, TrialOutcome.UNKNOWN),
    ],
)
def test_what_a_gate_says_of_a_trial(
    gate: Gate, wanted: set[Symptom], outcome: TrialOutcome
) -> None:
    assert outcome_of(gate, symptoms_of(gate, strict=False), wanted=wanted)[0] is outcome


def test_with_strict_more_is_searched_for() -> None:
    look = GateFinding("logs", "jicofo", Severity.ATTENTION, "new")
    gate = failing(finding("tests", "a"), look)
    assert [str(each) for each in symptoms_of(gate, strict=True)] == ["logs: jicofo", "tests: a"]
    assert [str(each) for each in symptoms_of(gate, strict=False)] == ["tests: a"]


def test_only_what_shows_the_symptoms_is_tried_again() -> None:
    tests, drill = Symptom("tests", "a"), Symptom("drills", "bridge-kill")
    assert narrowed(PLAN, {tests}).drills == ()
    assert narrowed(PLAN, {tests, drill}).drills == ("bridge-kill",)
    assert narrowed(PLAN, {drill}).runs == 1
    assert narrowed(PLAN, {Symptom("timings", "ready")}) == PLAN


# Versions.


def first_bad(tmp_path: Path, judged: Sequence[Gate]) -> BisectResult:
    names = [f"1.0-{number}" for number in range(len(judged))]
    sets: list[Members] = [{"jicofo": member("jicofo", name)} for name in names]
    trials, _ = trials_of(tmp_path, lambda new: PASSED)

    def gate(plan: GatePlan) -> GateRun:
        return GateRun(judged[int(Path(plan.candidate).parent.name.split("-")[1])], tmp_path)

    trials.gate = gate
    return find_in_versions(names, sets, trials)


def test_the_first_bad_version(tmp_path: Path) -> None:
    found = first_bad(tmp_path, [PASSED, PASSED, PASSED, SAME, SAME, SAME])
    assert (found.answer, found.says) == (
        Answer.FOUND, "the first bad version is 1.0-3; 1.0-2 is good"
    )  # fmt: skip
    assert found.culprits == ({"version": ("1.0-2", "1.0-3")},)


def test_all_versions_are_bad(tmp_path: Path) -> None:
    found = first_bad(tmp_path, [SAME, SAME])
    assert found.says == "the first bad version is 1.0-0; the good set is good"


def test_versions_that_fail_otherwise_leave_a_doubt(tmp_path: Path) -> None:
    found = first_bad(tmp_path, [PASSED, OTHER, BUSY, SAME])
    assert found.answer is Answer.UNCLEAR
    assert found.says == (
        "the first bad version is 1.0-3, or one of 1.0-1, 1.0-2, which say nothing"
    )


@pytest.mark.parametrize(("newest", "answer"), [(PASSED, Answer.NOT_BAD), (BUSY, Answer.UNCLEAR)])
def test_nothing_is_bad(tmp_path: Path, newest: Gate, answer: Answer) -> None:
    found = first_bad(tmp_path, [PASSED, newest])
    assert found.answer is answer
    assert found.answer.exit_code == {Answer.NOT_BAD: 1, Answer.UNCLEAR: 3}[answer]


# Results.


def test_the_result_is_read_back_and_told(tmp_path: Path) -> None:
    found, _ = search(tmp_path, lambda new: SAME if "jicofo" in new else PASSED, EXCHANGE)
    data = json.loads(json.dumps(found.to_json()))
    assert BisectResult.from_json(data) == found
    assert (data["answer"], data["exit_code"]) == ("found", 0)
    text = render_bisect(found)
    assert text.startswith("FOUND: 'jicofo' (1 -> 2) is bad.\n")
    assert "  tests: test_vnode\n" in text
    assert text.count("\n  good ") == 4
    assert text.count("\n  bad ") == 2


# Files.


@pytest.mark.programs
def test_relations_of_a_package(tmp_path: Path) -> None:
    fields = "Depends: aa (>= 1.0),\n bb | cc (= 2),\n debconf\nBreaks: dd (<< 3)\n"
    file = build_deb(tmp_path, "jicofo", fields=fields)
    found = read_member(Deb("jicofo", "1.0-1", "all", file, "x"))
    assert [str(each) for each in found.constraints] == [
        "'jicofo' needs aa (>= 1.0)",
        "'jicofo' needs bb or cc (= 2)",
        "'jicofo' needs debconf",
        "'jicofo' cannot be installed with dd (<< 3)",
    ]


def test_relations_in_all_their_forms() -> None:
    text = unfolded("aa:any (>= 1:2~rc1), bb [amd64] <!nocheck>,\n cc | dd")
    assert [" | ".join(map(str, each)) for each in parse_relations(text)] == [
        "aa (>= 1:2~rc1)", "bb", "cc | dd",
    ]  # fmt: skip


@pytest.mark.programs
def test_what_holds_in_a_set() -> None:
    def wrong(*constraints: Constraint) -> list[str]:
        found = {"a": member("a", "1.0", *constraints), "b": member("b", "2.0")}
        return [str(each) for each in broken(found, found)]

    assert wrong(Constraint("a", (Relation("b", ">=", "2.0"),))) == []
    assert wrong(Constraint("a", (Relation("b", ">>", "2.0"),))) == ["'a' needs b (>> 2.0)"]
    assert wrong(Constraint("a", (Relation("b", ">>", "2.0"), Relation("z")))) == []
    assert wrong(Constraint("a", (Relation("b", "<<", "3"),), refused=True)) == [
        "'a' cannot be installed with b (<< 3)"
    ]
    assert wrong(Constraint("a", (Relation("b", "<<", "2"),), refused=True)) == []
    assert wrong(Constraint("a", (Relation("a"),), refused=True)) == []


@pytest.mark.programs
def test_folders_of_versions_are_sorted_by_what_they_hold(tmp_path: Path) -> None:
    for folder, version in (("x", "1.0-1196-1"), ("z", "1.0-1173-1"), ("y", "1.0-1200-1")):
        (tmp_path / folder).mkdir()
        build_deb(tmp_path / folder, "jicofo", version=version)
    (tmp_path / "empty").mkdir()
    assert [each.name for each in load_versions(tmp_path)] == ["z", "x", "y"]


@pytest.mark.programs
def test_files_of_one_package_are_versions(tmp_path: Path) -> None:
    for version in ("1.0-1196-1", "1.0-1173-1", "1.0-1200-1"):
        build_deb(tmp_path, "jicofo", version=version)
    names = [each.name for each in load_versions(tmp_path)]
    assert names == ["1.0-1173-1", "1.0-1196-1", "1.0-1200-1"]
    build_deb(tmp_path, "jitsi-videobridge2")
    with pytest.raises(UsageError, match="files of several packages: jicofo, jitsi-videobridge2"):
        load_versions(tmp_path)


@pytest.mark.programs
def test_folders_that_hold_no_versions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load_versions(tmp_path / "none")
    with pytest.raises(LabError, match=r"has no \.deb files"):
        load_versions(tmp_path)


@pytest.mark.programs
def test_what_an_address_holds_now_is_taken_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deb = build_deb(tmp_path, "jicofo")
    asked: list[tuple[str, bool]] = []

    def fetch(address: str, *, force: bool, **_: object) -> Path:
        asked.append((address, force))
        return deb

    monkeypatch.setattr("labctl.images.candidates.fetch_deb", fetch)
    address = "https://ci.example/jicofo.deb"
    assert set(load_members(f"debs:{address}", progress=silent)) == {"jicofo"}
    assert asked == [(address, True)]


@pytest.mark.programs
def test_sources_that_cannot_be_taken_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'jitsi:stable' cannot be taken apart"):
        load_members("jitsi:stable", progress=silent)
    build_deb(tmp_path, "jicofo")
    same = BisectPlan(PLAN, good=f"debs:{tmp_path}", bad=f"debs:{tmp_path}")
    with pytest.raises(UsageError, match="Both sets hold the same packages"):
        bisect(same, progress=silent)
    one = BisectPlan(PLAN, versions=tmp_path, folder=tmp_path / "report")
    with pytest.raises(UsageError, match="holds one version only"):
        bisect(one, progress=silent)
    with pytest.raises(UsageError, match="cannot be combined"):
        bisect(BisectPlan(PLAN, bad="debs:/x", versions=tmp_path), progress=silent)


def test_a_set_is_a_source() -> None:
    assert source_of(members("1", "jicofo", "b")) == "debs:/1/b.deb,/1/jicofo.deb"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "needs the packages to judge"),
        (["bisect"], "needs '--good' and '--bad', or '--versions'"),
        (["bisect", "--good", "debs:/x"], "needs '--good' and '--bad'"),
    ],
)
def test_what_is_missing_on_the_command_line(words: list[str], said: str) -> None:
    result = CliRunner().invoke(gate_command, words, standalone_mode=False)
    assert isinstance(result.exception, UsageError)
    assert said in result.exception.message
