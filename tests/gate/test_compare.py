"""The verdict: what fails a candidate, what only needs a look, and when nothing can be said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from labctl.core.state import StateError
from labctl.gate.certainty import Pair
from labctl.gate.compare import compare_sides, judge_gate
from labctl.gate.contents import PackageChange, PackageContents
from labctl.gate.measures import Load, Up
from labctl.gate.model import (
    NOT_DUE,
    CaseOutcome,
    Difference,
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    Severity,
    TriedIn,
    TriedPackage,
    Trouble,
)
from tests.gate.sides import FAILED, FLAKY, PASSED, SKIPPED, UPS, case, make_side, slower, template


def subjects(gate: Gate, severity: Severity) -> list[str]:
    return [each.subject.rpartition("::")[2] for each in gate.findings if each.severity is severity]


def test_everything_passed() -> None:
    gate = judge_gate(make_side())
    assert (gate.word, gate.word.exit_code) == (GateVerdict.PASS, 0)
    assert gate.findings == ()


def test_same_as_the_baseline() -> None:
    gate = judge_gate(make_side(), make_side("baseline"))
    assert gate.word is GateVerdict.PASS
    assert gate.reason == "as good as the baseline"
    assert [timing.verdict for timing in gate.timings] == ["not judged", "same", "same"]


@pytest.mark.parametrize(
    ("values", "subject"),
    [
        ({"tests": (case("test_a"), case("test_b", FAILED, "no bridge\nmore"))}, "test_b"),
        ({"drills": (GateCase("failover", FAILED, 9.0, "nobody was re-invited"),)}, "failover"),
    ],
    ids=["test", "drill"],
)
def test_failure_without_a_baseline(values: dict[str, Any], subject: str) -> None:
    gate = judge_gate(make_side(**values))
    assert (gate.word, gate.word.exit_code) == (GateVerdict.FAIL, 1)
    assert subjects(gate, Severity.FAIL) == [subject]
    assert "\n" not in gate.findings[0].text


@pytest.mark.parametrize(
    ("new", "old", "severity"),
    [
        (FAILED, PASSED, Severity.FAIL),
        (FAILED, None, Severity.FAIL),
        (FAILED, FAILED, Severity.ATTENTION),
        (FLAKY, PASSED, Severity.ATTENTION),
        (SKIPPED, PASSED, Severity.FAIL),
        (None, PASSED, Severity.FAIL),
        (PASSED, FAILED, Severity.INFO),
        (SKIPPED, SKIPPED, None),
        (PASSED, FLAKY, None),
        (None, SKIPPED, None),
    ],
    ids=lambda value: str(value),
)
def test_test_against_the_baselines(
    new: CaseOutcome | None, old: CaseOutcome | None, severity: Severity | None
) -> None:
    both = case("test_other")
    candidate = make_side(tests=(both, *([case("test_x", new)] if new else [])))
    baseline = make_side("baseline", tests=(both, *([case("test_x", old)] if old else [])))
    gate = judge_gate(candidate, baseline)
    found = [each.severity for each in gate.findings if each.subject.endswith("test_x")]
    assert found == ([severity] if severity else [])
    assert gate.word is (GateVerdict.FAIL if severity is Severity.FAIL else GateVerdict.PASS)


def test_slower_beyond_noise_fails() -> None:
    slow = slower(UPS, 4)
    gate = judge_gate(make_side(ups=slow), make_side("baseline"))
    assert gate.word is GateVerdict.FAIL
    (finding,) = [each for each in gate.findings if each.area == "timings"]
    assert finding == GateFinding(
        "timings", "ready", Severity.FAIL, "slower: 9.2 s (9.0-9.4) against 5.2 s (5.0-5.4)"
    )


def test_no_verdict_on_timings_of_too_few_runs() -> None:
    slow = slower(UPS[:2], 40)
    gate = judge_gate(make_side(ups=slow), make_side("baseline"))
    assert gate.word is GateVerdict.PASS
    assert "not judged" in gate.findings[-1].text


def test_new_log_lines_and_drift_are_for_a_look_and_fail_when_strict() -> None:
    candidate = make_side(
        logs=(template("discovered <n> components"), template("boom <n>", level="error")),
        drift=(Difference("jicofo a: 3 -> 2", judged=True),),
    )
    baseline = make_side("baseline")
    gate = judge_gate(candidate, baseline)
    assert gate.word is GateVerdict.PASS
    assert [(each.area, each.subject) for each in gate.findings] == [
        ("drift", "jicofo a: 3 -> 2"),
        ("drift", "jicofo a: 1 -> 2"),
        ("logs", "jicofo"),
    ]
    assert "new error, 3x: boom 7" in gate.findings[-1].text
    assert judge_gate(candidate, baseline, strict=True).word is GateVerdict.FAIL


def test_known_log_lines_are_for_information_and_only_their_number_needs_a_look() -> None:
    known = replace(template("boom <n>", level="error"), reason="a drill does this")
    gate = judge_gate(make_side(logs=(known,)), make_side("baseline"))
    (finding,) = [each for each in gate.findings if each.area == "logs"]
    assert finding.severity is Severity.INFO
    assert finding.text == "new error, 3x: boom 7; known: a drill does this"
    many = replace(known, count=300)
    gate = judge_gate(make_side(logs=(many,)), make_side("baseline", logs=(known,)))
    (finding,) = [each for each in gate.findings if each.area == "logs"]
    assert finding.severity is Severity.ATTENTION
    assert "300x against 3x with the baseline" in finding.text
    assert judge_gate(make_side(logs=(many,))).findings == ()


@pytest.mark.parametrize(
    ("new", "old", "severity"),
    [
        (FAILED, PASSED, Severity.ATTENTION),
        (FAILED, FAILED, Severity.ATTENTION),
        (FAILED, None, Severity.ATTENTION),
        (SKIPPED, PASSED, Severity.ATTENTION),
        (PASSED, FAILED, Severity.INFO),
        (PASSED, PASSED, None),
    ],
    ids=str,
)
def test_contract_needs_a_look_and_fails_only_when_strict(
    new: CaseOutcome, old: CaseOutcome | None, severity: Severity | None
) -> None:
    candidate = make_side(contract=(GateCase("jicofo: a", new, 0.1, "mode is 640"),))
    baseline = make_side("baseline", contract=(GateCase("jicofo: a", old),) if old else None)
    gate = judge_gate(candidate, baseline)
    found = [each for each in gate.findings if each.area == "contract"]
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert gate.word is GateVerdict.PASS
    strict = judge_gate(candidate, baseline, strict=True)
    assert (strict.word is GateVerdict.FAIL) is (severity is Severity.ATTENTION)


def test_entries_about_other_versions_are_not_missing_with_a_candidate() -> None:
    held = GateCase("jicofo: a", PASSED)
    other = GateCase("jicofo: a", SKIPPED, 0.0, f"{NOT_DUE}jicofo until 1.0-1175")
    gate = judge_gate(make_side(contract=(other,)), make_side("baseline", contract=(held,)))
    assert [each for each in gate.findings if each.area == "contract"] == []


def test_without_a_baseline_drift_counts_where_nobody_has_judged_it() -> None:
    drift = (Difference("a", judged=True), Difference("b", judged=False))
    gate = judge_gate(make_side(drift=drift))
    assert [(each.area, each.subject) for each in gate.findings] == [("drift", "b")]


@pytest.mark.parametrize(
    ("label", "packages", "word"),
    [
        ("candidate", True, GateVerdict.FAIL),
        ("candidate", False, GateVerdict.NOT_JUDGED),
        ("baseline", True, GateVerdict.NOT_JUDGED),
        ("baseline", False, GateVerdict.NOT_JUDGED),
    ],
)
def test_trouble(label: str, packages: bool, word: GateVerdict) -> None:
    trouble = Trouble("ready", "The lab was not ready.", packages, package="jicofo")
    sides = {"candidate": make_side(), "baseline": make_side("baseline")}
    sides[label] = make_side(label, trouble=trouble)
    gate = judge_gate(sides["candidate"], sides["baseline"])
    assert gate.word is word
    assert gate.word.exit_code == (1 if word is GateVerdict.FAIL else 3)
    if word is GateVerdict.FAIL:
        assert gate.reason == "package 'jicofo' failed in phase 'ready'"


@pytest.mark.parametrize("tests", [None, (), (case("test_a", SKIPPED),)], ids=str)
def test_nothing_that_ran_is_no_pass(tests: object) -> None:
    assert judge_gate(make_side(tests=tests)).word is GateVerdict.NOT_JUDGED


def test_plain_data() -> None:
    gate = judge_gate(make_side(stand_ins=("jicofo",)), make_side("baseline"))
    data = json.loads(json.dumps(gate.to_json()))
    again = Gate.from_json(data)
    assert again.to_json() == gate.to_json()
    assert (again.word, again.candidate, again.findings) == (
        gate.word,
        gate.candidate,
        gate.findings,
    )
    assert data["exit_code"] == 0
    assert data["stand_ins"] == ["jicofo"]
    assert data["candidate"]["tests"][0]["outcome"] == "passed"


BUSY = Load(20.0, 2, 0.5)
QUIET = Load(20.0, 2, 0.1)


@pytest.mark.parametrize(
    ("area", "message", "load", "word"),
    [
        ("tests", "nobody was invited within 10 s", BUSY, GateVerdict.NOT_JUDGED),
        ("tests", "nobody was invited within 10 s", QUIET, GateVerdict.FAIL),
        ("tests", "nobody was invited within 10 s", None, GateVerdict.FAIL),
        ("tests", "assert 644 == 600", BUSY, GateVerdict.FAIL),
        ("drills", "re-invited: nothing", BUSY, GateVerdict.NOT_JUDGED),
        ("drills", "re-invited: nothing", QUIET, GateVerdict.FAIL),
    ],
)
def test_what_waited_in_vain_on_a_busy_machine_is_not_judged(
    area: str, message: str, load: Load | None, word: GateVerdict
) -> None:
    cases = (case("test_a"), case("test_x", FAILED, message))
    passed = (case("test_a"), case("test_x"))
    gate = judge_gate(
        make_side(**{area: cases}, load=load), make_side("baseline", **{area: passed})
    )
    assert gate.word is word
    if word is GateVerdict.NOT_JUDGED:
        assert gate.reason == "this machine was too busy to judge 'test_x'"
        assert "others used 50%" in gate.findings[0].text


def test_what_failed_at_times_with_the_baseline_does_not_fail_the_candidate() -> None:
    candidate = make_side(tests=(case("test_a"), case("test_x", FAILED, "too late")))
    gate = judge_gate(
        candidate, make_side("baseline", tests=(case("test_a"), case("test_x", FLAKY)))
    )
    assert gate.word is GateVerdict.PASS
    assert subjects(gate, Severity.ATTENTION) == ["test_x"]


def test_figure_that_is_not_clear_takes_the_pass_and_no_more() -> None:
    ups = (*slower(UPS[:1], 1.9), *slower(UPS[1:], 4.0))
    gate = judge_gate(make_side(ups=ups), make_side("baseline"), strict=True)
    assert (gate.word, gate.word.exit_code) == (GateVerdict.NOT_JUDGED, 3)
    assert subjects(gate, Severity.UNDECIDED) == ["ready"]
    assert gate.findings[0].text.endswith("3 of 3 pairs count, but they vary too much")


def test_slower_start_and_more_cpu_time_fail_though_the_phases_are_the_same() -> None:
    def with_start(seconds: float, cpu: float) -> tuple[Up, ...]:
        start = {"jicofo": (seconds + 0.4, seconds, seconds + 9)}
        used = {"jicofo": (cpu, cpu + 0.3)}
        return tuple(replace(up, starts=start, start_cpu=used) for up in UPS)

    gate = judge_gate(
        make_side(ups=with_start(4.5, 5)), make_side("baseline", ups=with_start(2.5, 3))
    )
    assert gate.word is GateVerdict.FAIL
    assert subjects(gate, Severity.FAIL) == ["start of jicofo", "CPU to start jicofo"]


def test_lines_that_load_explains_never_decide() -> None:
    line = replace(template("Took <n> ms"), load=True)
    gate = judge_gate(
        make_side(logs=(line,), drift=()), make_side("baseline", drift=()), strict=True
    )
    assert gate.word is GateVerdict.PASS
    assert [each.severity for each in gate.findings if each.area == "logs"] == [Severity.INFO]


def test_lab_that_came_up_when_tried_again_is_told_of() -> None:
    gate = judge_gate(
        make_side(repeated=("Lab 'x' was not ready.\n  more",)), make_side("baseline")
    )
    assert gate.word is GateVerdict.PASS
    assert gate.findings[0].text == "candidate: came up when tried again: Lab 'x' was not ready."


def test_gate_of_the_first_format_is_read() -> None:
    """It had no pairs, and of a run nothing but the seconds of its phases."""
    data = json.loads(json.dumps(judge_gate(make_side(), make_side("baseline")).to_json()))
    for label in ("candidate", "baseline"):
        side = data[label]
        side["ups"] = [up["seconds"] for up in side["ups"]]
        for key in ("load", "repeated"):
            del side[key]
    for timing in data["timings"]:
        del timing["pairs"]
    gate = Gate.from_json({**data, "format": 1})
    assert gate.candidate.ups == UPS
    assert [timing.pairs for timing in gate.timings][2][0] == Pair(5.0, 5.0)
    data["timings"][2]["baseline"]["runs"].pop()
    gate = Gate.from_json({**data, "format": 1})
    assert [len(timing.pairs) for timing in gate.timings] == [3, 3, 2]
    for timing in data["timings"]:
        timing["baseline"] = None
    gate = Gate.from_json({**data, "format": 1, "baseline": None})
    assert gate.baseline is None
    assert [timing.pairs for timing in gate.timings] == [(), (), ()]


def test_data_of_a_newer_labctl_is_refused_by_its_name() -> None:
    with pytest.raises(StateError, match=r"^'gate\.json' cannot be read: a newer labctl"):
        Gate.from_json({"format": 99})


def only(gate: Gate, area: str) -> list[GateFinding]:
    return [each for each in gate.findings if each.area == area]


@pytest.mark.parametrize(
    ("sides", "word", "reason"),
    [
        (
            {"candidate": Trouble("ready", "x", packages=True, package="jicofo")},
            GateVerdict.FAIL,
            "package 'jicofo' failed in phase 'ready'",
        ),
        (
            {"candidate": Trouble("ready", "x", packages=True)},
            GateVerdict.FAIL,
            "the candidate failed in phase 'ready'",
        ),
        (
            {"candidate": Trouble("images", "x", packages=False)},
            GateVerdict.NOT_JUDGED,
            "the candidate could not be tried (phase 'images')",
        ),
        (
            {"baseline": Trouble("ready", "x", packages=True, package="jicofo")},
            GateVerdict.NOT_JUDGED,
            "the baseline could not be tried (phase 'ready')",
        ),
        (
            {
                "candidate": Trouble("ready", "x", packages=True),
                "baseline": Trouble("images", "x", packages=False),
            },
            GateVerdict.NOT_JUDGED,
            "the baseline could not be tried (phase 'images')",
        ),
    ],
    ids=["package", "packages", "machine", "baseline", "both"],
)
def test_why_a_side_that_did_not_finish_decides(
    sides: dict[str, Trouble], word: GateVerdict, reason: str
) -> None:
    candidate = make_side(trouble=sides.get("candidate"))
    baseline = make_side("baseline", trouble=sides.get("baseline"))
    gate = judge_gate(candidate, baseline, seconds=7.0)
    assert gate == Gate(word, reason, candidate, baseline, seconds=7.0)


def test_without_a_test_that_passed_there_is_no_verdict() -> None:
    candidate = make_side(tests=(case("test_a", FAILED), case("test_b", SKIPPED)))
    baseline = make_side("baseline")
    reason = "no acceptance test finished on the candidate"
    gate = judge_gate(candidate, baseline, seconds=7.0)
    assert gate == Gate(GateVerdict.NOT_JUDGED, reason, candidate, baseline, seconds=7.0)


def test_the_reason_counts_what_decided_by_area() -> None:
    drills = (GateCase("a", FAILED), GateCase("b", FAILED))
    tests = (case("test_a"), case("test_b", FAILED))
    gate = judge_gate(make_side(tests=tests, drills=drills), seconds=7.0)
    assert (gate.word, gate.reason) == (GateVerdict.FAIL, "3 findings in tests, drills")
    assert (gate.seconds, gate.strict, gate.changes) == (7.0, False, ())
    gate = judge_gate(make_side(tests=tests))
    assert (gate.reason, gate.seconds) == ("1 finding in tests", 0.0)
    gate = judge_gate(make_side(drills=drills))
    assert gate.reason == "2 findings in drills"
    assert judge_gate(make_side()).reason == "everything passed"


def test_what_could_not_be_judged_is_named_up_to_three() -> None:
    tests = [case("test_ok"), *(case(f"test_{n}", FAILED, "too late") for n in range(4))]
    gate = judge_gate(make_side(tests=tuple(tests), load=BUSY))
    assert gate.reason == "this machine was too busy to judge 'test_0', 'test_1', 'test_2'"


def test_what_could_not_be_judged_is_named_without_its_class() -> None:
    tests = (case("test_ok"), case("TestHall::test_late", FAILED, "too late"))
    gate = judge_gate(make_side(tests=tests, load=BUSY))
    assert gate.reason == "this machine was too busy to judge 'test_late'"


def test_packages_that_were_not_tried_are_part_of_the_reason() -> None:
    tried = (
        TriedPackage("jigasi", "1", TriedIn.NOWHERE, "no"),
        TriedPackage("jibri", "1", TriedIn.NOWHERE, "no"),
        TriedPackage("jicofo", "1", TriedIn.LAB),
    )
    gate = judge_gate(make_side(tried=tried))
    assert gate.reason == "everything passed; not tried: jigasi, jibri"


def test_the_worst_findings_come_first_and_strict_is_kept() -> None:
    candidate = make_side(
        tests=(case("test_a"), case("test_b", FLAKY, "no"), case("test_c", FAILED, "no")),
        drills=(GateCase("a", FAILED, 1.0, "no"),),
        repeated=("Again.",),
    )
    old = (case("test_a"), case("test_b"), case("test_c", FAILED))
    gate = judge_gate(candidate, make_side("baseline", tests=old), strict=True)
    severities = [each.severity for each in gate.findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert (gate.word, gate.strict) == (GateVerdict.FAIL, True)
    assert gate.reason == "5 findings in drills, tests, timings"


def test_changes_of_packages_are_known_if_both_sides_were_read() -> None:
    new, old = {"jicofo": PackageContents("2")}, {"jicofo": PackageContents("1")}
    gate = judge_gate(make_side(contents=new), make_side("baseline", contents=old))
    assert gate.changes == (PackageChange("jicofo", "1", "2"),)
    assert judge_gate(make_side(contents=new), make_side("baseline")).changes == ()
    assert judge_gate(make_side(), make_side("baseline", contents=old)).changes == ()
    assert judge_gate(make_side(contents=new)).changes == ()


def test_runs_that_were_repeated_are_told_of_both_sides() -> None:
    new = make_side(repeated=("First.\nmore\nmore", "Second."))
    old = make_side("baseline", repeated=("Third.",))
    again = "came up when tried again"
    assert only(judge_gate(new, old), "timings") == [
        GateFinding("timings", "up", Severity.ATTENTION, f"{who}: {again}: {what}")
        for who, what in (
            ("candidate", "First."), ("candidate", "Second."), ("baseline", "Third."),
        )
    ]  # fmt: skip
    assert only(judge_gate(new), "timings") == []


@pytest.mark.parametrize(("new", "old", "told"), [(3, 3, 0), (2, 3, 1), (3, 2, 1)])
def test_too_few_runs_on_a_side_are_told(new: int, old: int, told: int) -> None:
    gate = judge_gate(make_side(ups=UPS[:new]), make_side("baseline", ups=UPS[:old]))
    text = "not judged: noise can be told only from 3 runs a side on ('--runs')"
    assert only(gate, "timings") == [GateFinding("timings", "all", Severity.INFO, text)] * told


def test_what_is_faster_is_for_information() -> None:
    gate = judge_gate(make_side(), make_side("baseline", ups=slower(UPS, 4)))
    text = "faster: 5.2 s (5.0-5.4) against 9.2 s (9.0-9.4)"
    assert only(gate, "timings") == [GateFinding("timings", "ready", Severity.INFO, text)]
    assert gate.word is GateVerdict.PASS


def test_pairs_that_count_are_counted_where_a_figure_is_not_clear() -> None:
    def with_load(ups: tuple[Up, ...], *lost: float) -> tuple[Up, ...]:
        pairs = zip(ups, lost, strict=True)
        return tuple(replace(up, load=Load(20.0, 2, share)) for up, share in pairs)

    new = with_load(slower(UPS, 4), 0.1, 0.1, 0.9)
    gate = judge_gate(make_side(ups=new), make_side("baseline", ups=with_load(UPS, 0.1, 0.1, 0.1)))
    (finding,) = only(gate, "timings")
    assert finding == GateFinding(
        "timings", "ready", Severity.UNDECIDED,
        "could not judge: 9.2 s (9.0-9.4) against 5.2 s (5.0-5.4);"
        " 2 of 3 pairs count, but they vary too much",
    )  # fmt: skip


def test_slow_machines_on_either_side_are_patient() -> None:
    ups = slower(UPS, 4)
    for new, old in ((5.0, 1.0), (1.0, 5.0)):
        gate = judge_gate(
            make_side(ups=ups, patience=new), make_side("baseline", patience=old)
        )  # fmt: skip
        assert only(gate, "timings") == []
    assert compare_sides(make_side(ups=ups), make_side("baseline"))[-1].verdict == "slower"


def judged(text: str) -> Difference:
    return Difference(text, judged=True)


@pytest.mark.parametrize(
    ("new", "old", "told"),
    [
        (("a",), ("a",), []),
        (("a", "b"), ("a",), [("b", "not there with the baseline")]),
        (("a",), ("a", "c", "b"), [("b", "was there with the baseline, is now gone"),
                                   ("c", "was there with the baseline, is now gone")]),
        (None, ("a",), []),
        (("a",), None, []),
    ],
    ids=["same", "new", "gone", "not looked at", "not known"],
)  # fmt: skip
def test_changes_in_what_packages_write(
    new: tuple[str, ...] | None, old: tuple[str, ...] | None, told: list[tuple[str, str]]
) -> None:
    def of(texts: tuple[str, ...] | None) -> tuple[Difference, ...] | None:
        return None if texts is None else tuple(map(judged, texts))

    gate = judge_gate(make_side(drift=of(new)), make_side("baseline", drift=of(old)))
    assert only(gate, "drift") == [
        GateFinding("drift", subject, Severity.ATTENTION, text) for subject, text in told
    ]


def test_what_nobody_has_explained_is_told_if_the_baseline_was_not_looked_at() -> None:
    drift = (judged("a"), Difference("b", judged=False))
    text = "nobody has explained it yet"
    for baseline in (None, make_side("baseline", drift=None)):
        gate = judge_gate(make_side(drift=drift), baseline)
        assert only(gate, "drift") == [GateFinding("drift", "b", Severity.ATTENTION, text)]


def test_without_a_baseline_only_errors_that_nobody_has_judged_are_told() -> None:
    error = replace(template("boom <n>", level="error"), origin="A.b")
    logs = (error, replace(error, reason="known"), template("warning"))
    for baseline in (None, make_side("baseline", logs=None)):
        gate = judge_gate(make_side(logs=logs), baseline)
        assert only(gate, "logs") == [
            GateFinding("logs", "jicofo A.b", Severity.INFO, "error, 3x: boom 7")
        ]


def test_new_lines_say_what_may_explain_them() -> None:
    line = replace(template("boom <n>"), origin="A.b")
    for new, severity, text in (
        (line, Severity.ATTENTION, "new warning, 3x: boom 7"),
        (
            replace(line, load=True),
            Severity.INFO,
            "new warning, 3x: boom 7; a busy machine may explain it",
        ),
        (replace(line, reason="why"), Severity.INFO, "new warning, 3x: boom 7; known: why"),
        (
            replace(line, reason="why", load=True),
            Severity.INFO,
            "new warning, 3x: boom 7; known: why",
        ),
    ):
        gate = judge_gate(make_side(logs=(new,)), make_side("baseline"))
        assert only(gate, "logs") == [GateFinding("logs", "jicofo A.b", severity, text)]


def test_many_more_lines_of_a_kind_are_told() -> None:
    line = template("boom <n>", level="error")
    gate = judge_gate(
        make_side(logs=(replace(line, count=300),)), make_side("baseline", logs=(line,))
    )
    text = "error, 300x against 3x with the baseline: boom 7"
    assert only(gate, "logs") == [GateFinding("logs", "jicofo", Severity.ATTENTION, text)]


def test_what_was_not_tried_of_either_side_is_no_finding() -> None:
    nothing = make_side(drills=None, drift=None, logs=None)
    assert judge_gate(nothing).findings == ()
    assert judge_gate(nothing, make_side("baseline", drills=None)).findings == ()
    assert judge_gate(make_side(drift=()), replace(nothing, label="baseline")).findings == ()


def test_the_contract_is_a_matter_of_attention_even_on_a_busy_machine() -> None:
    contract = (GateCase("jicofo: a", FAILED, 0.1, "no answer within 3 s"),)
    gate = judge_gate(make_side(contract=contract, load=BUSY))
    assert only(gate, "contract") == [
        GateFinding(
            "contract", "jicofo: a", Severity.ATTENTION,
            "failed while others used 50% of the processors: no answer within 3 s",
        )
    ]  # fmt: skip
