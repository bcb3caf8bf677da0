"""GitHub's annotations and summary: whole, escaped, and within its limits."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from labctl.cli.ci import tell_ci
from labctl.gate import github
from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageChange, PathChanges
from labctl.gate.github import MOST_SUMMARY_BYTES, render_annotations, render_summary
from labctl.gate.measures import Up
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    LogTemplate,
    Severity,
)
from labctl.gate.packagetext import change_text
from tests.gate.sides import FAILED, UPS, case, finding_storm, make_side

LINE = re.compile(r"::(error|warning|notice) title=([^:,]*)::(.*)")


def test_annotations_are_lines_that_github_reads() -> None:
    found = [LINE.fullmatch(line) for line in render_annotations(finding_storm())]
    assert all(found)
    kinds = [it[1] for it in found if it]
    assert kinds == sorted(kinds, key=["error", "warning", "notice"].index)
    first = found[0]
    assert first is not None and first[2] == "labctl gate%3A fail"
    assert any(it and "(12)" in it[2] and it[2].startswith("tests%3A") for it in found)


def test_text_of_findings_cannot_be_a_command() -> None:
    text = "100%\r\n::stop-commands::x"
    gate = judge_gate(make_side(drills=(GateCase("fail:over,x", CaseOutcome.FAILED, 1.0, text),)))
    for line in render_annotations(gate):
        assert LINE.fullmatch(line), line
    assert any("fail%3Aover%2Cx::100%25" in line for line in render_annotations(gate))


def test_line_ends_are_escaped() -> None:
    gate = replace(judge_gate(make_side()), reason="one\r\ntwo")
    assert render_annotations(gate) == ["::notice title=labctl gate%3A pass::one%0D%0Atwo"]


def test_marks_of_markdown_are_shown_and_not_obeyed() -> None:
    name = "a|b `c` _d_ *e* [f](g) \\h"
    text = render_summary(judge_gate(make_side(drills=(GateCase(name, FAILED, 1.0, name),))))
    (line,) = (line for line in text.splitlines() if line.startswith("- **drills"))
    told = line.removeprefix("- **drills: ")
    assert not set("|`_[]\\") & set(told)
    assert told.count("*") == 2
    assert html.unescape(told) == f"{name}**: {name}"


def test_no_more_than_github_shows_and_the_rest_is_counted() -> None:
    drills = tuple(GateCase(f"drill-{n}", FAILED, 1.0, f"word {n}") for n in range(30))
    found = render_annotations(judge_gate(make_side(drills=drills)))
    errors = [line for line in found if line.startswith("::error")]
    assert len(errors) == 10
    assert errors[-1].endswith("::22 more are in the gate's report")


def test_summary_is_markdown_that_no_finding_can_break() -> None:
    text = render_summary(finding_storm())
    assert text.startswith("## ❌ FAIL: ")
    assert "&lt;b&gt;nobody&lt;/b&gt;" in text and "<b>" not in text
    assert "### What decided" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables
    for heading, ruler in pairwise(tables):
        if ruler.startswith("|---"):
            assert heading.count("|") == ruler.count("|")
    bars = {line.count("|") for line in tables if line.startswith("| jicofo")}
    assert bars == {4}


def test_summary_is_never_too_large() -> None:
    tests = tuple(
        case(f"test_{'x' * 80}{chr(97 + n % 26)}{n}", FAILED, f"{'y' * n}") for n in range(9000)
    )
    text = render_summary(judge_gate(make_side(tests=(*tests, case("test_ok")))))
    assert len(text.encode()) <= MOST_SUMMARY_BYTES
    assert "The rest is in the gate's report." in text


def test_what_changed_in_a_package_is_a_line() -> None:
    change = PackageChange(
        "jicofo", "1", "2", ("Depends: + x",), PathChanges(("a", "b"), ("c",), ()),
        PathChanges((), (), ("d",)), {"postinst": "..."},
    )  # fmt: skip
    assert change_text(change) == (
        "jicofo: files +2 -1, conffiles ~1, dependencies +1, scripts postinst"
    )
    assert change_text(PackageChange("x", "1", None)) == "x: only in the baseline"
    assert change_text(PackageChange("x", "1", "2")) == "x: only the version"


def test_only_on_github(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = judge_gate(make_side())
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    tell_ci(gate)
    assert capsys.readouterr() == ("", "")
    assert not summary.exists()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tell_ci(gate)
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("::notice title=labctl gate%3A pass::")
    assert summary.read_text().startswith("## ✅ PASS")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "x"))
    tell_ci(gate)
    assert "cannot be written" in capsys.readouterr().err


def test_kinds_of_log_lines_are_shown_once() -> None:
    kinds = tuple(
        LogTemplate("jvb", "error", f"A.b{n}: words", 3, f"A.b{n}: words", f"A.b{n}")
        for n in range(5)
    )
    gate = judge_gate(make_side(logs=kinds), make_side("baseline"))
    (line,) = (line for line in render_annotations(gate) if "logs%3A" in line)
    assert "jvb A.b0 and 4 more (5)" in line


def findings(*severities: Severity) -> Gate:
    found = tuple(
        GateFinding("drills", f"drill-{n}", severity, f"text {n}")
        for n, severity in enumerate(severities)
    )
    return replace(judge_gate(make_side()), findings=found)


def test_severities_are_levels_and_the_verdict_is_the_first_of_its_level() -> None:
    gate = findings(Severity.FAIL, Severity.UNDECIDED, Severity.ATTENTION, Severity.INFO)
    lines = {
        GateVerdict.PASS: "::notice title=labctl gate%3A pass::everything passed",
        GateVerdict.FAIL: "::error title=labctl gate%3A fail::everything passed",
        GateVerdict.NOT_JUDGED: "::warning title=labctl gate%3A could not judge::everything passed",
    }
    expected = [
        "::error title=drills%3A drill-0::text 0",
        "::warning title=drills%3A drill-1::text 1",
        "::warning title=drills%3A drill-2::text 2",
        "::notice title=drills%3A drill-3::text 3",
    ]
    places = {GateVerdict.PASS: 3, GateVerdict.FAIL: 0, GateVerdict.NOT_JUDGED: 1}
    for word, line in lines.items():
        place = places[word]
        found = render_annotations(replace(gate, word=word))
        assert found == [*expected[:place], line, *expected[place:]]


def test_groups_are_counted_in_their_title() -> None:
    found = tuple(
        GateFinding("tests", f"x.py::test_{n}", Severity.FAIL, "no bridge") for n in range(3)
    )
    gate = judge_gate(make_side())
    lines = render_annotations(replace(gate, findings=found))
    assert lines[0] == "::error title=tests%3A test_0 and 2 more (3)::no bridge"
    lines = render_annotations(replace(gate, findings=found[:2]))
    assert lines[0] == "::error title=tests%3A test_0 and 1 more (2)::no bridge"


@pytest.mark.parametrize(
    ("count", "shown", "last"),
    [
        (9, 9, "::warning title=drills%3A drill-8::text 8"),
        (10, 10, "::warning title=drills%3A drill-9::text 9"),
        (11, 10, "::warning title=labctl gate::2 more are in the gate's report"),
    ],
)
def test_ten_of_each_level(count: int, shown: int, last: str) -> None:
    lines = render_annotations(findings(*[Severity.ATTENTION] * count))
    warnings = [line for line in lines if line.startswith("::warning")]
    assert (len(warnings), warnings[-1]) == (shown, last)


def test_the_summary_has_tables_of_both_sides_and_what_was_found() -> None:
    found = (
        GateFinding("tests", "x.py::test_0", Severity.FAIL, "no bridge"),
        GateFinding("tests", "x.py::test_1", Severity.FAIL, "no bridge"),
        GateFinding("timings", "ready", Severity.UNDECIDED, "slower"),
        GateFinding("logs", "jicofo", Severity.ATTENTION, "new"),
        GateFinding("timings", "all", Severity.INFO, "few runs"),
    )
    ups = tuple(Up({"ready": 5.0}, starts={"jicofo": (1.5,)}) for _ in range(3))
    gate = replace(
        judge_gate(
            make_side(ups=ups, packages={"jicofo": "2", "nginx": "1.26"}, stand_ins=("jicofo",)),
            make_side("baseline", ups=UPS[:3], packages={"jicofo": "1"}),
        ),
        findings=found,
        changes=(PackageChange("same", "1", "1"), PackageChange("jicofo", "1", "2")),
    )
    sections = render_summary(gate).split("\n\n")
    parts = sections.pop(3)
    assert sections == [
        "## ✅ PASS: as good as the baseline",
        "**Stand-ins, which are not Jitsi's software:** jicofo",
        "| | candidate | baseline |\n|---|---|---|\n"
        "| jicofo | 2 STAND-IN | 1 |\n| nginx | 1.26 | - |",
        "| seconds | candidate | baseline | judged |\n|---|---|---|---|\n"
        "| ready | 5.0 (5.0-5.0, 3 runs) | 5.2 (5.0-5.4, 3 runs) | same |\n"
        "| start of jicofo | 1.5 (1.5-1.5, 3 runs) | - | not judged |",
        "### What decided",
        "- **tests: test&#95;0 and 1 more** (2): no bridge",
        "### Could not be judged on this machine",
        "- **timings: ready**: slower",
        "### To look at",
        "- **logs: jicofo**: new",
        "### To know",
        "- **timings: all**: few runs",
        "### What changed in the packages",
        "- jicofo: only the version\n",
    ]
    assert parts.splitlines()[:3] == [
        "| | candidate | baseline |",
        "|---|---|---|",
        "| tests | 2 passed, 1 skipped | 2 passed, 1 skipped |",
    ]


def test_stand_ins_are_listed_and_text_is_escaped_and_no_more() -> None:
    gate = judge_gate(make_side(stand_ins=("jicofo", "nginx")))
    text = render_summary(replace(gate, reason="X & <Y> | Z"))
    first, second, *_ = text.split("\n\n")
    assert first == "## ✅ PASS: X &amp; &lt;Y&gt; &#124; Z"
    assert second == "**Stand-ins, which are not Jitsi's software:** jicofo, nginx"


def test_the_summary_of_one_side_leaves_out_what_there_is_not() -> None:
    text = render_summary(judge_gate(make_side(ups=())))
    assert text.startswith("## ✅ PASS: everything passed\n\n| | candidate |\n|---|---|\n| jicofo")
    assert "Stand-ins" not in text and "###" not in text and "| seconds" not in text
    marks = {GateVerdict.FAIL: "## ❌ FAIL: ", GateVerdict.NOT_JUDGED: "## ⚠️ COULD NOT JUDGE: "}
    for word, mark in marks.items():
        assert render_summary(replace(judge_gate(make_side()), word=word)).startswith(mark)


def test_whole_sections_are_left_out_where_the_summary_would_be_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = findings(Severity.FAIL)
    whole = render_summary(gate)
    sections = whole.split("\n\n### ")[0]
    # The bytes of text count: a mark such as ✅ has several.
    monkeypatch.setattr(github, "MOST_SUMMARY_BYTES", len(whole.encode()))
    assert render_summary(gate) == whole
    monkeypatch.setattr(github, "MOST_SUMMARY_BYTES", len(whole.encode()) - 4)
    assert render_summary(gate) == f"{sections}\n\nThe rest is in the gate's report.\n"


def test_changes_of_every_kind_in_a_line() -> None:
    change = PackageChange(
        "jicofo", "1", "2", ("Depends: + x", "Depends: - y", "Breaks: + z"),
        PathChanges((), ("c",), ("d", "e")), PathChanges(("a",), (), ()),
        {"postinst": "...", "prerm": "..."},
    )  # fmt: skip
    assert change_text(change) == (
        "jicofo: files -1 ~2, conffiles +1, dependencies +2 -1, scripts postinst, prerm"
    )
    assert change_text(PackageChange("x", None, "1")) == "x: only in the candidate"
