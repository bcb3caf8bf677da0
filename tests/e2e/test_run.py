"""Specs in order: which are run, which again, what is kept, and what Ctrl-C leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labctl.core.progress import NOTICE, silent
from labctl.crowd.target import Target
from labctl.e2e import run as module
from labctl.e2e.files import load_known, save_record
from labctl.e2e.run import SPEC_SECONDS, E2ePlan, cores, run_plan
from labctl.lab.report import load_secrets
from labctl.node.sections import render_sections
from labctl.render.secrets import ensure_secrets
from labctl.report.e2e import E2eRecord, SpecOutcome
from labctl.report.redact import MARK
from labctl.topology.lab import Lab
from tests.e2e.make import record_of
from tests.fakes.nodes import FakeNodes
from tests.fakes.wdio import FakeWdio, plan_of

NAMES = ("ui/chatPanel", "ui/preJoin")


def run(lab: Lab, plan: E2ePlan, **more: Any) -> E2eRecord:
    given = {"progress": silent, "save": lambda record: None, **more}
    return run_plan(lab, plan, **given)


def outcomes(record: E2eRecord) -> dict[str, str]:
    return {spec.name: str(spec.outcome) for spec in record.specs}


def test_specs_that_cannot_be_run_are_said(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    record = run(lab, plan_of(tmp_path))
    assert outcomes(record) == {
        "jaas/chat": "not run",
        "media/lastN": "not run",
        "ui/chatPanel": "passed",
        "ui/preJoin": "passed",
    }
    assert wdio.ran == ["ui/chatPanel", "ui/preJoin"]
    reasons = {spec.name: spec.reason for spec in record.specs if spec.reason}
    assert reasons == {
        "jaas/chat": "needs JaaS, which no lab has",
        "media/lastN": "opens 4 browsers at once, and this machine is good for 2",
    }
    assert record.well
    again = run(lab, plan_of(tmp_path, "media/lastN", most_browsers=4))
    assert outcomes(again) == {"media/lastN": "passed"}


def test_what_runs_a_spec(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    lab = replace(lab, patience=replace(lab.patience, factor=2.0))
    plan = plan_of(tmp_path, "ui/preJoin")
    run(lab, plan)
    ((words, given),) = wdio.calls
    spec = tmp_path / "checkout" / "tests" / "specs" / "ui" / "preJoin.spec.ts"
    assert words[0] == "/usr/bin/node"
    assert words[1:3] == (str(plan.suite.wdio), "run")
    assert words[-2:] == ("--spec", str(spec))
    assert given["cwd"] == plan.suite.package
    assert given["timeout"] == 2 * SPEC_SECONDS
    assert given["env"]["BASE_URL"] == f"https://{Target.of(lab).domain}/"


@pytest.mark.parametrize(
    ("does", "again", "outcome", "runs"),
    [
        (["pass"], 1, SpecOutcome.PASSED, 1),
        (["skip"], 1, SpecOutcome.SKIPPED, 1),
        (["fail"], 1, SpecOutcome.FAILED, 2),
        (["fail"], 0, SpecOutcome.FAILED, 1),
        (["fail", "pass"], 1, SpecOutcome.FLAKY, 2),
        (["fail", "fail", "pass"], 2, SpecOutcome.FLAKY, 3),
        (["crash", "pass"], 1, SpecOutcome.FLAKY, 2),
        (["hang"], 1, SpecOutcome.FAILED, 2),
        (["fail", "skip"], 1, SpecOutcome.FAILED, 2),
        (["disturbed", "pass"], 0, SpecOutcome.PASSED, 2),
        (["disturbed", "fail"], 0, SpecOutcome.FAILED, 2),
        (["disturbed", "fail", "pass"], 1, SpecOutcome.FLAKY, 3),
        (["fail", "disturbed", "pass"], 1, SpecOutcome.FLAKY, 3),
        (["disturbed"], 0, SpecOutcome.FAILED, 4),
        (["disturbed"], 1, SpecOutcome.FAILED, 5),
    ],
    ids=lambda value: str(value),
)
def test_what_fails_is_run_again(
    does: list[Any],
    again: int,
    outcome: SpecOutcome,
    runs: int,
    lab: Lab,
    wdio: FakeWdio,
    tmp_path: Path,
) -> None:
    wdio.does["ui/preJoin"] = does
    (spec,) = run(lab, plan_of(tmp_path, "ui/preJoin", again=again)).specs
    assert (spec.outcome, len(spec.attempts)) == (outcome, runs)


def test_every_run_has_files_of_its_own(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    wdio.does["ui/preJoin"] = ["fail", "pass"]
    stale = tmp_path / "out" / "e2e" / "old"
    stale.mkdir(parents=True)
    (spec,) = run(lab, plan_of(tmp_path, "ui/preJoin")).specs
    assert [attempt.files for attempt in spec.attempts] == [
        ("e2e/ui/preJoin/1/p1.png", "e2e/ui/preJoin/1/wdio.log"),
        ("e2e/ui/preJoin/2/wdio.log",),
    ]
    for attempt in spec.attempts:
        assert all((tmp_path / "out" / name).is_file() for name in attempt.files)
    assert not stale.exists()


def test_every_result_is_saved_at_once(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    saved: list[E2eRecord] = []
    run(lab, plan_of(tmp_path, *NAMES), save=saved.append)
    assert [(len(one.specs), one.interrupted) for one in saved] == [
        (1, True),
        (2, True),
        (2, False),
    ]


def test_no_browser_outlives_its_spec(
    lab: Lab, wdio: FakeWdio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "end_processes_of", lambda home: told.append(home.name))
    wdio.does = {"ui/chatPanel": ["hang"], "ui/preJoin": [interrupt]}
    assert run(lab, plan_of(tmp_path, *NAMES)).interrupted
    assert wdio.ran == ["ui/chatPanel", "ui/chatPanel", "ui/preJoin"]
    assert told == ["home"] * 4, "after each run, and at the end"


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_is_continued(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    wdio.does["ui/preJoin"] = [interrupt, "pass"]
    plan = plan_of(tmp_path)
    suite = plan.suite.folder
    stopped = run(lab, plan, save=lambda record: save_record(record, plan.folder))
    assert stopped.interrupted
    assert "ui/preJoin" not in outcomes(stopped)
    assert not load_known(plan.folder, lab="other", suite=suite)
    assert not load_known(plan.folder, lab="demo", suite=tmp_path)
    known = load_known(plan.folder, lab="demo", suite=suite)
    assert list(known) == ["ui/chatPanel"], "what was not run may now be run"
    done = run(lab, replace(plan, known=known), save=lambda it: save_record(it, plan.folder))
    assert outcomes(done)["ui/preJoin"] == "passed"
    assert not done.interrupted
    assert wdio.ran == ["ui/chatPanel", "ui/preJoin", "ui/preJoin"]
    assert load_known(plan.folder, lab="demo", suite=suite) == {}, "there is nothing to continue"
    assert load_known(tmp_path, lab="demo", suite=suite) == {}


def test_log_lines_of_the_nodes_stand_by_a_failure(
    lab: Lab, nodes: FakeNodes, wdio: FakeWdio, tmp_path: Path
) -> None:
    ensure_secrets(lab.folder, vnodes=["v1", "v2"])
    secret = min(load_secrets(lab.folder) or ())
    wdio.does["ui/preJoin"] = ["fail", "pass"]
    for name in ("jvb1", "visitors1"):
        nodes.silence(name)
    nodes.says("jms", lambda _: just_now(f"It broke: {secret}"), to="section journal")
    record = run(lab, plan_of(tmp_path, "ui/preJoin"))
    (spec,) = record.specs
    assert spec.excerpt is not None
    (entry,) = spec.excerpt.lines
    assert (entry.node, entry.source, entry.text) == ("jms", "jicofo", f"[44] It broke: {MARK}")
    assert entry.level == "error"
    assert len(record.notes) == 2, "the other nodes were silent"


def just_now(words: str) -> str:
    """The logs of a node in which Jicofo has just written this."""
    now = datetime.now(UTC)
    clock = f"clock {now.timestamp():.9f} +0000 asked {now.timestamp():.3f}"
    line = f"Jicofo {now:%Y-%m-%d %H:%M:%S}.000 SEVERE: [44] {words}\n"
    return render_sections({clock: "", "/var/log/jitsi/jicofo.log": line})


def test_without_secrets_there_are_no_log_lines(lab: Lab, wdio: FakeWdio, tmp_path: Path) -> None:
    wdio.does["ui/preJoin"] = ["fail"]
    record = run(lab, plan_of(tmp_path, "ui/preJoin"))
    assert record.specs[0].excerpt is None
    assert record.notes == ("The lab's secrets cannot be read, so log lines are left out.",)


def test_a_stand_in_of_the_web_application_is_told(
    lab: Lab, nodes: FakeNodes, wdio: FakeWdio, tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []

    def tell(phase: str, message: str, *, node: str | None = None) -> None:
        told.append((phase, message))

    nodes.says("jms", {"stand-ins": "jitsi-meet-web 0~standin1\n"}, to="section stand-ins")
    record = run(lab, plan_of(tmp_path, "ui/preJoin"), progress=tell)
    assert record.stand_ins == ("jitsi-meet-web",)
    assert [phase for phase, _ in told] == [NOTICE, "e2e", "e2e"]
    assert told[-1][1].startswith("[1/1] ui/preJoin: passed in ")


def test_as_many_browsers_as_cores() -> None:
    assert cores() >= 1


def test_the_sentence_counts() -> None:
    record = record_of()
    assert record.sentence == "5 specs: 1 passed, 1 failed, 1 flaky, 1 skipped, 1 not run"
    assert not record.well
    assert record_of(*record.bad).sentence == "1 spec: 1 failed"
    assert record_of(*record.specs[:1], interrupted=True).sentence.endswith("passed, interrupted")
    assert not record_of(*record.specs[3:]).well, "nothing passed"
    assert E2eRecord.from_json(record.to_json()) == record
