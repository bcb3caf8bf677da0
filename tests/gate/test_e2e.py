"""An end-to-end suite in the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from labctl.cli.gate import gate_command
from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.gate import e2e as module
from labctl.gate.compare import judge_gate
from labctl.gate.e2e import case_of, judge_e2e, run_e2e
from labctl.gate.exam import examine_end_to_end
from labctl.gate.job import Found, SideJob
from labctl.gate.junit import render_junit
from labctl.gate.measures import Load
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    Severity,
)
from labctl.gate.page import render_page
from labctl.gate.report import render_text
from labctl.gate.run import GatePlan, plan_sides
from labctl.report.e2e import AttemptRecord, SpecOutcome, SpecRecord
from labctl.topology.lab import Lab
from labctl.topology.spec import Spec
from tests.e2e.make import write_checkout
from tests.fakes.wdio import PROGRAMS, FakeWdio
from tests.gate.sides import FAILED, FLAKY, PASSED, SKIPPED, make_side


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "want_programs", lambda suite: PROGRAMS)
    monkeypatch.setattr(module, "cores", lambda: 2)
    return write_checkout(tmp_path / "jitsi-meet")


def test_specs_are_cases(checkout: Path, lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    wdio.does = {"ui/preJoin": ["fail", "pass"], "ui/chatPanel": ["fail"]}
    cases = run_e2e(lab, checkout, folder=tmp_path / "candidate", progress=silent)
    assert {case.name: case.outcome for case in cases} == {
        "jaas/chat": SKIPPED,
        "media/lastN": SKIPPED,
        "ui/chatPanel": FAILED,
        "ui/preJoin": FLAKY,
    }
    assert cases[2].message == "ui/chatPanel: works: no"
    names = {path.name for path in (tmp_path / "candidate").iterdir()}
    assert names == {"e2e", "e2e.json", "e2e.xml", "e2e.html"}


def test_a_report_may_be_anywhere_and_written_again(
    checkout: Path, lab: Lab, wdio: FakeWdio, tmp_path: Path
) -> None:
    folder = tmp_path / "deep" / "candidate"
    first = run_e2e(lab, checkout, folder=folder, progress=silent)
    again = run_e2e(lab, checkout, folder=folder, progress=silent)
    assert [case.outcome for case in first] == [case.outcome for case in again]
    assert (folder / "e2e.json").is_file()


def job_of(folder: Path, suite: Path | None) -> SideJob:
    spec = Spec(lab="gate-candidate")
    return SideJob("candidate", "stand-ins", spec, folder / "candidate", e2e=suite)


def test_a_side_is_examined(checkout: Path, lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    found = Found(make_side())
    examine_end_to_end(job_of(tmp_path, checkout), found, lab, progress=silent)
    assert found.done().e2e is not None
    assert (found.not_tried, wdio.ran) == ({}, ["ui/chatPanel", "ui/preJoin"])


def test_a_side_without_a_suite(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    found = Found(make_side())
    examine_end_to_end(job_of(tmp_path, None), found, lab, progress=silent)
    assert (found.done().e2e, found.not_tried, wdio.ran) == (None, {}, [])


def test_a_suite_that_is_gone_is_not_tried(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    found = Found(make_side())
    examine_end_to_end(job_of(tmp_path, tmp_path / "gone"), found, lab, progress=silent)
    assert found.done().e2e is None
    assert "holds no WebdriverIO suite" in found.not_tried["e2e"]
    assert judge_gate(found.done()).word is GateVerdict.NOT_JUDGED


def test_ctrl_c_ends_the_gate(checkout: Path, lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    wdio.does["ui/chatPanel"] = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        run_e2e(lab, checkout, folder=tmp_path / "candidate", progress=silent)


SPECS = (GateCase("ui/preJoin", PASSED, 30.0), GateCase("ui/chat", PASSED, 9.0))
BROKEN = (SPECS[0], replace(SPECS[1], outcome=FAILED, message="no button"))


@pytest.mark.parametrize(
    ("new", "old", "word"),
    [
        (SPECS, None, GateVerdict.PASS),
        (BROKEN, None, GateVerdict.FAIL),
        (BROKEN, SPECS, GateVerdict.FAIL),
        (BROKEN, BROKEN, GateVerdict.PASS),
        (SPECS[:1], SPECS, GateVerdict.FAIL),
        (None, None, GateVerdict.PASS),
    ],
    ids=["good", "bad", "worse", "as bad", "one is missing", "not asked for"],
)
def test_specs_decide(
    new: tuple[GateCase, ...] | None, old: tuple[GateCase, ...] | None, word: GateVerdict
) -> None:
    baseline = make_side("baseline", e2e=old) if old else None
    gate = judge_gate(make_side(e2e=new), baseline)
    assert gate.word is word
    if word is GateVerdict.FAIL:
        assert gate.reason == "1 finding in e2e"


def test_a_suite_that_could_not_be_run_prevents_a_pass() -> None:
    gate = judge_gate(make_side(not_tried={"e2e": "Chromium did not start."}))
    assert gate.word is GateVerdict.NOT_JUDGED
    assert gate.reason == "the end-to-end suite could not be run"
    (finding,) = [each for each in gate.findings if each.severity is Severity.UNDECIDED]
    assert finding.text == "could not be run: Chromium did not start."


def judged() -> Gate:
    return judge_gate(make_side(e2e=BROKEN), make_side("baseline", e2e=SPECS))


def test_every_report_has_it() -> None:
    text = render_text(judged(), folder=Path("/out"))
    assert "end-to-end suite" in text
    assert "1 passed, 1 failed" in text
    page = render_page(judged())
    assert "end-to-end suite" in page and "no button" in page
    root = ElementTree.fromstring(render_junit(judged()))
    failures = [it.get("message") for it in root.findall(".//testcase[@name='ui/chat']/failure")]
    assert failures == ["no button"]
    assert Gate.from_json(judged().to_json()) == judged()


def test_without_a_suite_no_report_has_it() -> None:
    gate = judge_gate(make_side())
    assert "end-to-end" not in render_text(gate, folder=Path("/out"))
    assert "end-to-end" not in render_page(gate)


def test_both_sides_run_it(tmp_path: Path) -> None:
    plan = GatePlan("stand-ins", tmp_path, baseline="stand-ins", e2e=tmp_path / "jitsi-meet")
    assert [job.e2e for job in plan_sides(plan)] == [tmp_path / "jitsi-meet"] * 2


def test_what_is_missing_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> BaseException | None:
        given = ["--candidate", "stand-ins", "--e2e", *words]
        return CliRunner().invoke(gate_command, given, standalone_mode=False).exception

    monkeypatch.setattr("labctl.gate.run_gate", lambda *_, **__: pytest.fail("too late"))
    assert isinstance(run(str(tmp_path)), UsageError)
    write_checkout(tmp_path, installed=False)
    monkeypatch.setattr("labctl.host.needs.Need.find", lambda self: "/usr/bin/true")
    error = run(str(tmp_path))
    assert isinstance(error, LabError)
    assert error.hint == f"Run: cd {tmp_path} && npm ci"


@pytest.mark.parametrize(
    ("outcome", "case"),
    [
        (SpecOutcome.PASSED, PASSED),
        (SpecOutcome.FAILED, FAILED),
        (SpecOutcome.FLAKY, FLAKY),
        (SpecOutcome.SKIPPED, SKIPPED),
        (SpecOutcome.NOT_RUN, SKIPPED),
    ],
)
def test_a_spec_as_the_gate_counts_it(outcome: SpecOutcome, case: CaseOutcome) -> None:
    attempt = AttemptRecord(100.0, 109.5, problem="no button")
    spec = SpecRecord("ui/chat", outcome, attempts=(attempt,))
    assert case_of(spec) == GateCase("ui/chat", case, 9.5, "no button")


def test_findings_on_specs_are_of_their_area() -> None:
    side = make_side(e2e=BROKEN, not_tried={"e2e": "it broke off"}, load=Load(20.0, 2, 0.9))
    late = replace(BROKEN[1], message="no button within 3 s")
    assert list(judge_e2e(side, make_side("baseline", e2e=SPECS))) == [
        GateFinding("e2e", "suite", Severity.UNDECIDED, "could not be run: it broke off"),
        GateFinding("e2e", "ui/chat", Severity.FAIL, "no button"),
    ]
    (found,) = judge_e2e(make_side(e2e=(late,), load=Load(20.0, 2, 0.9)), make_side("baseline"))
    assert found.severity is Severity.UNDECIDED
    assert list(judge_e2e(make_side(), make_side("baseline"))) == []
