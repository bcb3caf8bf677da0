"""Trials of a bisection: what is tried, what is kept, and what a bisection as a whole asks for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.gate import bisect as module
from labctl.gate import trials as trials_module
from labctl.gate.bisect import BisectPlan, bisect, load_members
from labctl.gate.bisected import Answer, BisectResult, make_result, not_bad
from labctl.gate.bisectreport import render_bisect
from labctl.gate.exchange import Constraint, Exchange, Relation
from labctl.gate.model import Gate, GateVerdict, Severity
from labctl.gate.run import GatePlan, GateRun
from labctl.gate.search import Suspects, TrialOutcome
from labctl.gate.suspects import find_in_sets
from labctl.gate.trials import Symptom, Trial, Trials, narrowed, outcome_of, symptoms_of
from tests.gate.pretended import Told
from tests.gate.test_bisect import (
    BUSY,
    CANDIDATE,
    PASSED,
    PLAN,
    SAME,
    failing,
    finding,
    member,
    members,
    troubled,
)
from tests.repository import build_deb

VNODE = Symptom("tests", "acceptance/test_visitors.py::test_vnode")


def trials_with(
    folder: Path, gate: Gate, *, told: Any = silent, plan: GatePlan = PLAN
) -> tuple[Trials, list[GatePlan]]:
    """Trials that come to `gate`, and how they were asked for."""
    asked: list[GatePlan] = []

    def run(plan: GatePlan) -> GateRun:
        asked.append(plan)
        return GateRun(gate, Path("/reports") / str(len(asked)))

    found = Trials.open(plan, folder, key="k", fresh=False, progress=told)
    found.gate = run
    return found, asked


def test_a_set_is_tried_once_against_the_plans_baseline(tmp_path: Path) -> None:
    told = Told()
    trials, asked = trials_with(tmp_path, SAME, told=told)
    assert trials.test(members("2", "jicofo", "a"), what="this") is TrialOutcome.BAD
    assert trials.test(members("2", "a", "jicofo"), what="the same") is TrialOutcome.BAD
    (plan,) = asked
    assert plan == replace(
        PLAN, candidate="debs:/2/a.deb,/2/jicofo.deb", folder=plan.folder
    )  # fmt: skip
    assert plan.folder is not None and plan.folder.parent == tmp_path
    assert plan.folder.name.startswith("trial-")
    (trial,) = trials.trials.values()
    assert trial == Trial(
        "this", {"a": "2", "jicofo": "2"}, TrialOutcome.BAD, "tests: test_vnode", (VNODE,),
        trial.seconds, "/reports/1",
    )  # fmt: skip
    assert 0 <= trial.seconds < 60 and trial.seconds == round(trial.seconds, 1)
    assert told.lines == ["bisect: trying this", "bisect: bad: this; tests: test_vnode"]


def test_a_trial_has_its_seconds_to_a_tenth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 112.34))
    monkeypatch.setattr(trials_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    trials, _ = trials_with(tmp_path, SAME)
    trials.test(members("2"), what="this")
    assert [trial.seconds for trial in trials.trials.values()] == [12.3]


def test_what_was_tried_is_kept_with_its_key(tmp_path: Path) -> None:
    trials, _ = trials_with(tmp_path, SAME)
    trials.test(members("2"), what="this")
    data = json.loads((tmp_path / "trials.json").read_text())
    assert (data["key"], len(data["trials"])) == ("k", 1)
    told = Told()
    again, asked = trials_with(tmp_path, PASSED, told=told)
    assert again.trials == trials.trials
    assert told.lines == [f"bisect: 1 trials are known from '{tmp_path}'"]
    assert again.test(members("2"), what="this") is TrialOutcome.BAD
    assert asked == []
    assert again.test(members("1"), what="that") is TrialOutcome.GOOD
    assert len(json.loads((tmp_path / "trials.json").read_text())["trials"]) == 2


def test_a_damaged_file_of_trials_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "trials.json").write_text("{")
    with pytest.raises(LabError) as caught:
        trials_with(tmp_path, SAME)
    assert caught.value.hint == "Remove it to begin again."
    Trials.open(PLAN, tmp_path, key="k", fresh=True, progress=silent)


def test_a_set_that_cannot_be_installed_is_not_tried(tmp_path: Path) -> None:
    needs = Constraint("a", (Relation("b"), Relation("c")), refused=True)
    given = {"a": member("a", "1", needs), "b": member("b", "1"), "c": member("c", "1")}
    both = replace(given["a"], constraints=(needs, replace(needs, relations=(Relation("c"),))))
    trials, asked = trials_with(tmp_path, SAME)
    assert trials.test({**given, "a": both}, what="this") is TrialOutcome.IMPOSSIBLE
    (trial,) = trials.trials.values()
    assert trial == Trial(
        "this", {"a": "1", "b": "1", "c": "1"}, TrialOutcome.IMPOSSIBLE,
        "'a' cannot be installed with b or c; 'a' cannot be installed with c",
    )  # fmt: skip
    assert asked == []


def test_what_is_searched_for_are_the_symptoms_of_the_bad_set(tmp_path: Path) -> None:
    trials, asked = trials_with(tmp_path, SAME)
    trials.test(members("2"), what="this")
    assert trials.search_for(members("2"))
    assert trials.symptoms == {VNODE}
    trials.test(members("1"), what="that")
    assert (asked[1].runs, asked[1].drills) == (1, ())
    trials, _ = trials_with(tmp_path / "other", PASSED)
    trials.test(members("2"), what="this")
    assert not trials.search_for(members("2"))


def test_strict_trials_look_for_more(tmp_path: Path) -> None:
    look = replace(finding("logs", "jicofo"), severity=Severity.ATTENTION)
    for strict, symptoms in ((True, (Symptom("logs", "jicofo"),)), (False, ())):
        trials, _ = trials_with(
            tmp_path / str(strict), failing(look), plan=replace(PLAN, strict=strict)
        )
        trials.test(members("2"), what="this")
        assert next(iter(trials.trials.values())).symptoms == symptoms


DIES = Symptom("trouble", "jicofo in 'ready'")


@pytest.mark.parametrize(
    ("gate", "wanted", "outcome", "reason"),
    [
        (PASSED, {DIES}, TrialOutcome.GOOD, "as good as the baseline"),
        (BUSY, {DIES}, TrialOutcome.UNKNOWN, "this machine was too busy"),
        (SAME, {VNODE, DIES}, TrialOutcome.BAD, "tests: test_vnode"),
        (SAME, {DIES}, TrialOutcome.OTHER, "tests: test_vnode"),
        (failing(finding("b", "y"), finding("a", "x")), set(), TrialOutcome.BAD, "a: x; b: y"),
        (failing(finding("b", "y"), finding("a", "x")), {DIES}, TrialOutcome.OTHER, "a: x; b: y"),
        (
            troubled("images", package="jicofo"),
            {DIES},
            TrialOutcome.IMPOSSIBLE,
            "apt cannot satisfy it.",
        ),
        (
            troubled("images", package="jicofo"),
            {Symptom("trouble", "jicofo in 'images'")},
            TrialOutcome.BAD,
            "trouble: jicofo in 'images'",
        ),
        (troubled("packages"), {DIES}, TrialOutcome.IMPOSSIBLE, "apt cannot satisfy it."),
        (troubled("ready"), set(), TrialOutcome.BAD, "trouble: the packages in 'ready'"),
    ],
)
def test_a_trials_outcome_has_a_reason(
    gate: Gate, wanted: set[Symptom], outcome: TrialOutcome, reason: str
) -> None:
    symptoms = symptoms_of(gate, strict=False)
    assert outcome_of(gate, symptoms, wanted=wanted) == (outcome, reason)


def test_symptoms_are_what_decided_against_the_candidate() -> None:
    assert symptoms_of(PASSED, strict=True) == ()
    assert symptoms_of(BUSY, strict=True) == ()
    twice = failing(finding("b", "y"), finding("a", "x"), finding("b", "y"))
    assert symptoms_of(twice, strict=False) == (Symptom("a", "x"), Symptom("b", "y"))
    undecided = replace(finding("a", "x"), severity=Severity.UNDECIDED)
    assert symptoms_of(failing(undecided), strict=True) == ()
    assert symptoms_of(troubled("ready", package="jicofo"), strict=False) == (DIES,)


@pytest.mark.parametrize("area", ["timings", "media"])
def test_figures_need_all_runs(area: str) -> None:
    assert narrowed(PLAN, {Symptom(area, "x"), Symptom("tests", "a")}) == PLAN


def test_drills_that_show_it_are_run_in_order() -> None:
    symptoms = {Symptom("drills", name) for name in ("b", "a", "c")} | {Symptom("tests", "x")}
    assert narrowed(PLAN, symptoms) == replace(PLAN, runs=1, drills=("a", "b", "c"))


# What a bisection came to.


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Answer.FOUND, 0), (Answer.TOGETHER, 0), (Answer.NOT_BAD, 1), (Answer.UNCLEAR, 3)],
)
def test_answers_have_exit_statuses(answer: Answer, status: int) -> None:
    data = BisectResult(answer, "words").to_json()
    assert (data["format"], data["exit_code"]) == (1, status)


def test_a_result_of_a_newer_labctl_is_refused_by_its_name() -> None:
    with pytest.raises(LabError, match=r"^'bisect\.json' cannot be read: a newer labctl"):
        BisectResult.from_json({"format": 99})


def tried(tmp_path: Path, **outcomes: TrialOutcome) -> Trials:
    """Trials that were made, by what was tried."""
    trials, _ = trials_with(tmp_path, PASSED)
    trials.trials = {
        name: Trial(name, {}, outcome, f"{name} is so") for name, outcome in outcomes.items()
    }
    return trials


def test_a_result_has_all_trials_and_says_which_could_not_be_made(tmp_path: Path) -> None:
    trials = tried(
        tmp_path, one=TrialOutcome.BAD, two=TrialOutcome.IMPOSSIBLE, three=TrialOutcome.GOOD
    )
    trials.symptoms = frozenset({Symptom("b", "y"), Symptom("a", "x")})
    culprit = {"jicofo": ("1", "2")}
    found = make_result(trials, Answer.FOUND, "words", culprits=[culprit], notes=["a note"])
    assert found == BisectResult(
        Answer.FOUND,
        "words",
        (culprit,),
        ("a note", "not tried: two: two is so"),
        (Symptom("a", "x"), Symptom("b", "y")),
        tuple(trials.trials.values()),
        str(tmp_path),
    )
    assert make_result(trials, Answer.FOUND, "words").culprits == ()


@pytest.mark.parametrize(
    ("outcome", "answer", "says"),
    [
        (TrialOutcome.GOOD, Answer.NOT_BAD, "two is not bad here: two is so"),
        (TrialOutcome.UNKNOWN, Answer.UNCLEAR, "two could not judge: two is so"),
        (TrialOutcome.IMPOSSIBLE, Answer.UNCLEAR, "two cannot be installed: two is so"),
    ],
)
def test_what_should_be_bad_may_not_be(
    outcome: TrialOutcome, answer: Answer, says: str, tmp_path: Path
) -> None:
    trials = tried(tmp_path, one=TrialOutcome.GOOD, two=outcome)
    found = not_bad(trials, "two", outcome)
    assert (found.answer, found.says) == (answer, says)
    assert len(found.trials) == 2


def test_a_result_as_text() -> None:
    symptoms = tuple(Symptom("tests", f"x.py::test_{n}") for n in range(8))
    found = BisectResult(
        Answer.FOUND, "'jicofo' (1 -> 2) is bad, " + "word " * 25 + "end",
        notes=("note " * 30 + "end",), symptoms=symptoms,
        trials=(
            Trial("the bad set", {}, TrialOutcome.BAD, "reason " * 40, seconds=61.4),
            Trial("what" * 40, {}, TrialOutcome.IMPOSSIBLE, ""),
        ),
        folder="/reports",
    )  # fmt: skip
    lines = render_bisect(found).splitlines()
    assert max(map(len, lines)) <= 110
    assert lines[0].startswith("FOUND: 'jicofo' (1 -> 2) is bad, word")
    assert lines[1].endswith("end.") and lines[2] == ""
    assert lines[3:11] == [
        "It was searched for:",
        *(f"  tests: test_{n}" for n in range(6)),
        "  ... and 2 more in bisect.json",
    ]
    assert lines[11:14] == ["", "Trials:", f"  {'bad':<20}the bad set (61 s)"]
    assert all(line.startswith(" " * 22 + "reason") for line in lines[14:16])
    assert len(lines[14]) > 100
    assert lines[16] == (f"  {'cannot be installed':<20}" + "what" * 40)[:110]
    assert lines[17].startswith("Note: note") and lines[18].startswith("      note")
    assert lines[18].endswith("end.")
    assert lines[19:] == ["", "Reports: /reports"]


def test_few_symptoms_are_all_told_and_none_is_nothing() -> None:
    symptoms = tuple(Symptom("tests", f"test_{n}") for n in range(6))
    text = render_bisect(BisectResult(Answer.FOUND, "words", symptoms=symptoms))
    assert "tests: test_5\n" in text and "more in" not in text
    assert "searched" not in render_bisect(BisectResult(Answer.FOUND, "words"))


@pytest.mark.parametrize(
    ("sets", "unsure", "answer", "says"),
    [
        (("a",), "", Answer.FOUND, "'a' (1 -> 2) is bad"),
        (
            ("a", "bc"),
            "",
            Answer.FOUND,
            "'a' (1 -> 2) is bad; 'b' (1 -> 2) and 'c' (1 -> 2) are bad only together",
        ),
        (
            ("abc",),
            "",
            Answer.TOGETHER,
            "'a' (1 -> 2) and 'b' (1 -> 2) and 'c' (1 -> 2) are bad only together",
        ),
        (
            ("bc", "de"),
            "c",
            Answer.TOGETHER,
            "'b' (1 -> 2) and 'c' (1 -> 2) are bad, and could not be told apart;"
            " 'd' (1 -> 2) and 'e' (1 -> 2) are bad only together",
        ),
    ],
    ids=["one", "one and two", "three", "unsure"],
)
def test_suspects_in_words(
    sets: tuple[str, ...],
    unsure: str,
    answer: Answer,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Suspects(tuple(map(frozenset, sets)), frozenset(unsure))
    monkeypatch.setattr("labctl.gate.suspects.find_suspects", lambda *_, **__: found)
    exchange = Exchange.of(members("1", *"abcde"), members("2", *"abcde"))
    trials, _ = trials_with(tmp_path, PASSED)
    result = find_in_sets(exchange, trials)
    assert (result.answer, result.says) == (answer, says)
    assert [list(each) for each in result.culprits] == [list(each) for each in sets]
    assert result.notes == (
        (f"whether '{unsure}' must be part of it could not be tried",) if unsure else ()
    )


def test_what_is_tried_is_named_by_what_is_exchanged(tmp_path: Path) -> None:
    exchange = Exchange.of(members("1", *"abcde"), members("2", *"abcde"))

    def gate(plan: GatePlan) -> GateRun:
        new = {Path(file).stem for file in plan.candidate.split(",") if "/2/" in file}
        return GateRun(SAME if {"a", "c", "e"} <= new else PASSED, tmp_path)

    trials, _ = trials_with(tmp_path, SAME)
    trials.gate = gate
    trials.test(exchange.bad, what="the bad set")
    found = find_in_sets(exchange, trials)
    assert found.says.startswith("'a' (1 -> 2) and 'c' (1 -> 2) and 'e' (1 -> 2)")
    whats = {trial.what for trial in found.trials}
    assert "the good set with 'a' of the bad one" in whats
    assert "the good set with 'a' and 'b' of the bad one" in whats
    assert "the good set with 'a', 'c' and 'e' of the bad one" in whats


# The whole, over .deb files.


@pytest.fixture
def sets(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two sets of files: jicofo is newer in the bad one, the other package is the same."""
    same = build_deb(tmp_path, "jitsi-videobridge2", version="2.0-1")
    for name, version in (("good", "1.0-1"), ("bad", "1.0-2")):
        (tmp_path / name).mkdir()
        build_deb(tmp_path / name, "jicofo", version=version)
        shutil.copy(same, tmp_path / name)
    yield f"debs:{tmp_path}/good", f"debs:{tmp_path}/bad"


@pytest.fixture
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[GatePlan]:
    """How gates were asked for; those with a newer jicofo fail."""
    asked: list[GatePlan] = []

    def run(plan: GatePlan, *, progress: Any) -> GateRun:
        asked.append(plan)
        assert plan.folder is not None
        newer = "jicofo_1.0-2" in plan.candidate or "jicofo_1.0-3" in plan.candidate
        return GateRun(SAME if newer else PASSED, plan.folder)

    monkeypatch.setattr(trials_module, "run_gate", run)
    monkeypatch.setattr(module, "GATES", tmp_path / "gates")
    return asked


@pytest.mark.programs
def test_two_sets_of_files_are_bisected_and_the_result_is_kept(
    sets: tuple[str, str], gates: list[GatePlan], tmp_path: Path
) -> None:
    told = Told()
    asked = BisectPlan(replace(PLAN, keep=True, candidate="x"), good=sets[0], bad=sets[1])
    found = bisect(asked, progress=told)
    assert found.says == "'jicofo' (1.0-1 -> 1.0-2) is bad"
    (first,) = gates
    good = [f"{tmp_path}/good/{name}" for name in ("jicofo_1.0-1_all.deb",
                                                   "jitsi-videobridge2_2.0-1_all.deb")]  # fmt: skip
    assert first.baseline == "debs:" + ",".join(good)
    assert first.candidate == first.baseline.replace("good", "bad").replace("1.0-1", "1.0-2")
    assert not first.keep
    assert (first.runs, first.drills) == (PLAN.runs, PLAN.drills)
    folder = Path(found.folder)
    assert folder.parent == tmp_path / "gates" and folder.name.startswith("bisect-")
    assert BisectResult.from_json(json.loads((folder / "bisect.json").read_text())) == found
    assert "bisect: searching for: tests: test_vnode" in told.lines
    assert [trial.what for trial in found.trials] == ["the bad set"]
    # Asked again, it is known; with --fresh it is not.
    gates.clear()
    assert bisect(asked, progress=silent) == found
    assert gates == []
    bisect(replace(asked, fresh=True), progress=silent)
    assert len(gates) == 1


@pytest.mark.programs
@pytest.mark.parametrize(
    "change",
    [
        {"runs": 9},
        {"quick": True},
        {"drills": ()},
        {"strict": True},
        {"stand_ins": True},
        {"config": Path("/x.conf")},
        {"flags": {"jvbs": "1"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_way_of_trying_is_another_bisection(
    sets: tuple[str, str], gates: list[GatePlan], change: dict[str, Any]
) -> None:
    first = bisect(BisectPlan(PLAN, good=sets[0], bad=sets[1]), progress=silent)
    plan = replace(PLAN, **change)
    other = bisect(BisectPlan(plan, good=sets[0], bad=sets[1]), progress=silent)
    assert other.folder != first.folder
    assert len(gates) == 2


@pytest.mark.programs
def test_other_files_are_another_bisection(
    sets: tuple[str, str], gates: list[GatePlan], tmp_path: Path
) -> None:
    first = bisect(BisectPlan(PLAN, good=sets[0], bad=sets[1]), progress=silent)
    build_deb(tmp_path / "bad", "jicofo", version="1.0-3")
    found = bisect(BisectPlan(PLAN, good=sets[0], bad=sets[1]), progress=silent)
    assert found.folder != first.folder
    assert found.says == "'jicofo' (1.0-1 -> 1.0-3) is bad"


@pytest.mark.programs
def test_a_set_that_is_not_bad_ends_the_bisection(
    sets: tuple[str, str], gates: list[GatePlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = BisectPlan(PLAN, good=sets[1], bad=sets[0], folder=Path("report"))
    found = bisect(plan, progress=silent)
    assert (found.answer, found.says) == (
        Answer.NOT_BAD, "the bad set is not bad here: as good as the baseline",
    )  # fmt: skip
    assert found.folder == str(tmp_path / "report")
    assert (tmp_path / "report" / "bisect.json").is_file()


@pytest.mark.programs
def test_a_set_that_fails_without_a_symptom_cannot_be_searched(
    sets: tuple[str, str], gates: list[GatePlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Gate(GateVerdict.FAIL, "it failed", CANDIDATE)
    monkeypatch.setattr(
        trials_module, "run_gate", lambda plan, *, progress: GateRun(nothing, plan.folder)
    )
    found = bisect(BisectPlan(PLAN, good=sets[0], bad=sets[1]), progress=silent)
    assert found.answer is Answer.UNCLEAR
    assert found.says.startswith("the bad set fails otherwise")


@pytest.mark.programs
def test_versions_in_folders_are_bisected_from_the_oldest_or_from_a_good_set(
    sets: tuple[str, str], gates: list[GatePlan], tmp_path: Path
) -> None:
    folder = tmp_path / "versions"
    for version in ("1.0-0", "1.0-1", "1.0-2", "1.0-3"):
        (folder / version).mkdir(parents=True)
        build_deb(folder / version, "jicofo", version=version)
    found = bisect(BisectPlan(PLAN, versions=folder), progress=silent)
    assert found.says == "the first bad version is 1.0-2; 1.0-1 is good"
    assert {plan.baseline for plan in gates} == {f"debs:{folder}/1.0-0/jicofo_1.0-0_all.deb"}
    gates.clear()
    found = bisect(BisectPlan(PLAN, good=sets[0], versions=folder), progress=silent)
    assert found.says == "the first bad version is 1.0-2; 1.0-1 is good"
    # The good set's other packages are part of each set.
    assert all("jitsi-videobridge2_2.0-1" in plan.candidate for plan in gates)
    assert all("/good/jicofo_1.0-1" in str(plan.baseline) for plan in gates)
    assert {trial.what.partition(" ")[0] for trial in found.trials} == {"version"}


@pytest.mark.programs
def test_of_several_versions_of_a_package_the_newest_is_taken_and_that_is_said(
    tmp_path: Path,
) -> None:
    for version in ("1.0-1", "1.0-2"):
        build_deb(tmp_path, "jicofo", version=version)
    told = Told()
    found = load_members(f"debs:{tmp_path}", progress=told)
    assert {name: each.deb.version for name, each in found.items()} == {"jicofo": "1.0-2"}
    (line,) = told.lines
    assert line.startswith("bisect: ") and "1.0-1" in line


@pytest.mark.parametrize(
    ("plan", "said", "hint"),
    [
        *(
            (
                plan,
                "'labctl gate bisect' needs '--good' and '--bad', or '--versions'.",
                "'labctl gate bisect --help' shows examples.",
            )
            for plan in (BisectPlan(PLAN), BisectPlan(PLAN, good="x"), BisectPlan(PLAN, bad="x"))
        ),
        (
            BisectPlan(PLAN, bad="debs:/x", versions=Path("/x")),
            "'--bad' and '--versions' cannot be combined.",
            "The newest version is the bad one.",
        ),
        (
            BisectPlan(PLAN, good="jitsi:stable", bad="jitsi:testing"),
            "'jitsi:stable' cannot be taken apart: a bisection needs the .deb files.",
            "Use 'debs:DIR' or 'debs:FILE.deb,FILE.deb'; a FILE may be an address.",
        ),
    ],
    ids=["nothing", "good alone", "bad alone", "both", "no files"],
)
def test_what_a_bisection_needs(plan: BisectPlan, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        bisect(plan, progress=silent)
    assert (caught.value.message, caught.value.hint) == (said, hint)


@pytest.mark.programs
def test_what_cannot_be_bisected_says_what_is_missing(tmp_path: Path) -> None:
    file = build_deb(tmp_path, "jicofo")
    for plan, said, hint in (
        (
            BisectPlan(PLAN, good=f"debs:{file}", bad=f"debs:{file}"),
            "Both sets hold the same packages.",
            "There is nothing to find.",
        ),
        (
            BisectPlan(PLAN, versions=tmp_path),
            f"'{tmp_path}' holds one version only.",
            "Give a '--good' set with it.",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            bisect(plan, progress=silent)
        assert (caught.value.message, caught.value.hint) == (said, hint)
