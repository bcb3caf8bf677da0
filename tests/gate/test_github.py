"""GitHub's annotations and summary: whole, escaped, and within its limits."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from labctl.cli.ci import tell_ci
from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageChange, PathChanges
from labctl.gate.github import MOST_SUMMARY_BYTES, render_annotations, render_summary
from labctl.gate.model import CaseOutcome, GateCase, LogTemplate
from labctl.gate.packagetext import change_text
from tests.gate.sides import FAILED, case, finding_storm, make_side

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
