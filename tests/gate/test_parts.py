"""What the programs that the gate runs have written, read back."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl.cli.gate import parse_drill_names
from labctl.contract.report import ContractRecord, EntryRecord
from labctl.contract.table import EntryKind
from labctl.core import process
from labctl.core.progress import silent
from labctl.core.waiting import Patience
from labctl.drift.report import Drift
from labctl.gate import parts
from labctl.gate.model import NOT_DUE, CaseOutcome, Difference, GateCase
from labctl.gate.parts import (
    case_of,
    differences_of,
    entries_of,
    load_drills,
    merge_retry,
    names_of_addresses,
    retry_suite,
    run_contract,
    run_drift,
    run_drills,
    run_suite,
)
from labctl.report.drill import DrillRecord, DrillVerdict, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.versions import Versions
from labctl.topology.workdir import ROOT
from tests.gate.sides import FAILED, FLAKY, SKIPPED, case

DRILLS = [
    {"name": "failover", "verdict": "as expected", "seconds": 21.5, "reason": "", "findings": []},
    {
        "name": "bridge-kill",
        "verdict": "worse",
        "seconds": 9.0,
        "reason": "",
        "left": "jvb1 does not run",
        "findings": [
            {"act": 0, "says": "re-invited", "seen": "nothing in 40 s", "verdict": "worse"},
            {"act": 0, "says": "healthy", "seen": "it is", "verdict": "as expected"},
        ],
    },
    {"name": "relay", "verdict": "skipped", "seconds": 0.0, "reason": "no relays", "findings": []},
]


def test_drills() -> None:
    good, bad, left_out = (case_of(DrillRecord.from_json(each)) for each in DRILLS)
    assert (good.name, good.outcome, good.seconds) == ("failover", CaseOutcome.PASSED, 21.5)
    assert bad.outcome is CaseOutcome.FAILED
    assert bad.message == "re-invited: nothing in 40 s; jvb1 does not run"
    assert (left_out.outcome, left_out.message) == (CaseOutcome.SKIPPED, "no relays")


def read(data: dict[str, Any]) -> tuple[Difference, ...]:
    """The differences of what `labctl drift --json` has written."""
    return differences_of(Drift.from_json({"lab": "demo", **data}), names={})


def test_drift() -> None:
    entry = {"nodes": ["jms"], "area": "jicofo", "where": "", "name": "jicofo.x"}
    changed = {**entry, "packaged": "1", "placed": None}
    meant = {**entry, "name": "jicofo.y", "where": "v1", "packaged": "a", "placed": "b"}
    made_up = {**changed, "name": "nick", "packaged": "21c2d51c-2ae2-4c0c-ad1f-8b1a3e0f5d2c"}
    found = read({"unknown": [made_up], "intended": []})
    assert [each.text for each in found] == ['jicofo nick: "<id>" -> null']
    found = read({"unknown": [changed], "intended": [{**meant, "reason": "r"}]})
    assert [(each.text, each.judged) for each in found] == [
        ('jicofo jicofo.x: "1" -> null', False),
        ('jicofo [v1] jicofo.y: "a" -> "b"', True),
    ]


def test_two_networks_make_no_difference(lab: Lab) -> None:
    """Labs that run side by side have other addresses."""
    jms, names = lab.topology.jms, names_of_addresses(lab.topology)
    entry = {"nodes": ["jms"], "area": "jicofo", "where": "", "name": "x", "packaged": None}
    placed = f"{jms.address}:5222 {jms.address}0 {lab.topology.network} {lab.topology.host_address}"
    data = {"lab": "demo", "unknown": [{**entry, "placed": placed}], "intended": []}
    [found] = differences_of(Drift.from_json(data), names=names)
    assert found.text == f'jicofo x: null -> "<jms>:5222 {jms.address}0 <network> <host>"'


def test_area_that_could_not_be_compared_is_a_difference_to_explain() -> None:
    skip = {"node": "jms", "area": "nginx", "reason": "'x' is not there"}
    none = {"node": "visitors1", "area": "prosody", "reason": "no", "expected": True}
    found = read({"unknown": [], "intended": [], "skipped": [skip, none]})
    text = "nginx on jms: not compared, because 'x' is not there"
    assert found == (Difference(text, judged=False),)


def test_what_passes_the_second_time_is_flaky() -> None:
    first = [case("test_a"), case("test_b", FAILED, "late"), case("test_c", FAILED, "wrong")]
    again = [case("test_b"), case("test_c", FAILED, "wrong")]
    merged = merge_retry(first, again)
    assert [each.outcome for each in merged] == [CaseOutcome.PASSED, FLAKY, FAILED]
    assert merged[1].message == "late"


@pytest.mark.parametrize(
    ("text", "quick", "names"),
    [
        (None, False, ("failover",)),
        (None, True, ()),
        ("none", False, ()),
        ("all", True, ("all",)),
        ("failover, vnode-stop", False, ("failover", "vnode-stop")),
    ],
    ids=["default", "quick", "none", "all", "two"],
)
def test_choice_of_drills(text: str | None, quick: bool, names: tuple[str, ...]) -> None:
    assert parse_drill_names(text, quick=quick) == names


def test_entries_of_the_contract_are_cases_whatever_number_of_nodes_they_are_on() -> None:
    def entry(name: str, node: str, *problems: str) -> EntryRecord:
        return EntryRecord(name, "jicofo", EntryKind.FILE, node, "docs", problems)

    record = ContractRecord(
        "demo",
        False,
        {},
        (entry("a", "jms"), entry("a", "jvb1", "mode is 640", "no owner"), entry("b", "jms")),
        {"c": "the lab has no visitor Prosody"},
        not_due={"d": Versions("jicofo", until="1.0-1175")},
    )
    assert entries_of(record, seconds=3.0) == (
        GateCase("jicofo: a", CaseOutcome.FAILED, 1.5, "jvb1: mode is 640; jvb1: no owner"),
        GateCase("jicofo: b", CaseOutcome.PASSED, 1.5, ""),
        GateCase("c", CaseOutcome.SKIPPED, 0.0, "the lab has no visitor Prosody"),
        GateCase("jicofo: d", CaseOutcome.SKIPPED, 0.0, f"{NOT_DUE}jicofo until 1.0-1175"),
    )


# The suite, as pytest runs it.


@dataclass
class FakePytest:
    """In the place of pytest: each run ends with one of `ends`, a status and its test cases."""

    ends: list[tuple[int, list[str]]]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def run(self, argv: Sequence[str | Path], **words: Any) -> process.Result:
        self.asked.append({"argv": [str(word) for word in argv], **words})
        status, cases = self.ends.pop(0)
        (file,) = (str(word) for word in argv if str(word).startswith("--junitxml="))
        if cases:
            text = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"
            Path(file.partition("=")[2]).write_text(text)
        return process.Result(tuple(map(str, argv)), status, "pytest's words")


def passes(name: str) -> str:
    return f'<testcase classname="acceptance.test_x" name="{name}"/>'


def fails(name: str) -> str:
    return (
        f'<testcase classname="acceptance.test_x" name="{name}"><failure message="no"/></testcase>'
    )


def suite(monkeypatch: pytest.MonkeyPatch, *ends: tuple[int, list[str]]) -> FakePytest:
    found = FakePytest(list(ends))
    monkeypatch.setattr(parts.process, "run", found.run)
    return found


def test_the_suite_is_run_on_the_lab(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = suite(monkeypatch, (0, [passes("test_a"), passes("test_b")]))
    slow = replace(lab, patience=Patience(2.0))
    found = run_suite(slow, folder=tmp_path, quick=False)
    assert found == (case_at("test_a"), case_at("test_b"))
    assert done.asked == [
        {
            "argv": [
                sys.executable, "-m", "pytest", f"{ROOT}/acceptance", "--rootdir", str(ROOT),
                "-q", f"--junitxml={tmp_path}/tests.xml", "-o", "junit_family=xunit1",
            ],
            "cwd": ROOT,
            "env": {"LABCTL_WORKDIR": str(lab.folder.path), "PYTHONPATH": str(ROOT)},
            "log": tmp_path / "tests.log",
            "timeout": 3600.0,
            "check": False,
        }
    ]  # fmt: skip


def case_at(name: str, outcome: CaseOutcome = CaseOutcome.PASSED, message: str = "") -> GateCase:
    return GateCase(f"acceptance/test_x.py::{name}", outcome, 0.0, message)


def test_quick_leaves_out_what_is_slow(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = suite(monkeypatch, (0, [passes("test_a")]))
    run_suite(lab, folder=tmp_path, quick=True)
    (asked,) = done.asked
    assert asked["argv"][6:9] == ["-q", "-m", "not slow"]


def test_what_failed_is_run_once_more_on_its_own(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = suite(
        monkeypatch,
        (1, [passes("test_a"), fails("test_b"), fails("test_c")]),
        (1, [passes("test_b"), fails("test_c")]),
    )
    found = run_suite(lab, folder=tmp_path, quick=True)
    assert found == (
        case_at("test_a"),
        case_at("test_b", CaseOutcome.FLAKY, "no"),
        case_at("test_c", CaseOutcome.FAILED, "no"),
    )
    again = done.asked[1]
    assert again["argv"][3:8] == [
        "acceptance/test_x.py::test_b", "acceptance/test_x.py::test_c", "--rootdir", str(ROOT),
        "-q",
    ]  # fmt: skip
    assert "-m" not in again["argv"][3:]
    assert again["log"] == tmp_path / "tests-again.log"
    assert f"--junitxml={tmp_path}/tests-again.xml" in again["argv"]


@pytest.mark.parametrize(
    ("status", "cases"),
    [(2, [passes("test_a")]), (5, []), (0, []), (-9, [passes("test_a")])],
    ids=["interrupted", "nothing collected", "no report", "killed"],
)
def test_a_suite_that_did_not_finish_is_an_error(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, cases: list[str]
) -> None:
    suite(monkeypatch, (status, cases))
    with pytest.raises(process.ProcessError, match="pytest's words") as caught:
        run_suite(lab, folder=tmp_path, quick=False)
    assert caught.value.log == tmp_path / "tests.log"


def test_nothing_that_failed_is_nothing_to_run_again(lab: Lab, tmp_path: Path) -> None:
    cases = [case("test_a"), case("test_b", SKIPPED)]
    assert retry_suite(lab, cases, folder=tmp_path) == tuple(cases)


# Drills, as they are run.

GOOD = DrillRecord("failover", DrillVerdict.EXPECTED, 1.0)
BAD = replace(GOOD, verdict=DrillVerdict.WORSE, reason="nobody came")


@dataclass
class FakeDrills:
    """In the place of a lab's drills: each run of one ends with the next of its records."""

    records: dict[str, list[DrillRecord]]
    ran: list[str] = field(default_factory=list)

    def run(self, drill: Any, lab: Any, *, progress: Any) -> DrillRecord:
        assert progress is silent
        self.ran.append(drill.name)
        return self.records[drill.name].pop(0)

    def undo(self, lab: Any, *, progress: Any) -> None:
        assert progress is silent
        self.ran.append("undo")


def drilled(monkeypatch: pytest.MonkeyPatch, **records: list[DrillRecord]) -> FakeDrills:
    named = {
        name.replace("_", "-"): [replace(each, name=name.replace("_", "-")) for each in those]
        for name, those in records.items()
    }
    found = FakeDrills(named)
    monkeypatch.setattr(parts, "run_drill", found.run)
    monkeypatch.setattr(parts, "record_of", lambda record: record)
    monkeypatch.setattr(parts, "undo_left", found.undo)
    return found


def test_drills_are_run_and_those_that_fail_once_more(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drills = drilled(
        monkeypatch, failover=[BAD, GOOD], bridge_kill=[GOOD], vnode_stop=[BAD, BAD]
    )  # fmt: skip
    names = ("failover", "bridge-kill", "vnode-stop")
    found = run_drills(lab, names, folder=tmp_path, progress=silent)
    assert [(it.name, it.outcome, it.message) for it in found] == [
        ("failover", CaseOutcome.FLAKY, "nobody came"),
        ("bridge-kill", CaseOutcome.PASSED, ""),
        ("vnode-stop", CaseOutcome.FAILED, "nobody came"),
    ]
    assert drills.ran == ["undo", "failover", "bridge-kill", "vnode-stop", "failover", "vnode-stop"]
    kept = load_drills(tmp_path / "drills.json")
    assert [it.verdict for it in kept] == [
        DrillVerdict.WORSE, DrillVerdict.EXPECTED, DrillVerdict.WORSE,
    ]  # fmt: skip
    assert [it.name for it in load_drills(tmp_path / "drills-again.json")] == [
        "failover", "vnode-stop",
    ]  # fmt: skip


def test_a_drill_that_leaves_the_lab_broken_is_the_last_one(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(BAD, left="jvb1 does not run")
    drills = drilled(monkeypatch, failover=[broken], bridge_kill=[GOOD])
    found = run_drills(lab, ("failover", "bridge-kill"), folder=tmp_path, progress=silent)
    assert [it.name for it in found] == ["failover"]
    assert drills.ran == ["undo", "failover"]


def test_drills_that_were_run_before_an_interruption_count(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("failover", "bridge-kill")
    (tmp_path / "drills.json").write_text(json.dumps(drills_to_json([GOOD])))
    drills = drilled(monkeypatch, failover=[BAD, BAD], bridge_kill=[GOOD, GOOD])
    found = run_drills(lab, names, folder=tmp_path, progress=silent, resumed=True)
    assert [(it.name, it.outcome) for it in found] == [
        ("failover", CaseOutcome.PASSED), ("bridge-kill", CaseOutcome.PASSED),
    ]  # fmt: skip
    assert drills.ran == ["undo", "bridge-kill"]
    assert len(load_drills(tmp_path / "drills.json")) == 2
    drills.ran.clear()
    run_drills(lab, names, folder=tmp_path, progress=silent)
    assert drills.ran[:3] == ["undo", "failover", "bridge-kill"]


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (DrillVerdict.EXPECTED, CaseOutcome.PASSED),
        (DrillVerdict.BETTER, CaseOutcome.PASSED),
        (DrillVerdict.SKIPPED, CaseOutcome.SKIPPED),
        (DrillVerdict.WORSE, CaseOutcome.FAILED),
    ],
)
def test_how_a_drill_came_out(verdict: DrillVerdict, outcome: CaseOutcome) -> None:
    record = replace(GOOD, verdict=verdict, reason="why")
    assert case_of(record) == GateCase("failover", outcome, 1.0, "why")


# Drift and contract.


def test_differences_are_measured_and_kept(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"nodes": ["jms"], "area": "jicofo", "where": "", "name": "x", "packaged": None}
    placed = str(lab.topology.jms.address)
    data = {"lab": "demo", "unknown": [{**entry, "placed": placed}], "intended": []}
    drift = Drift.from_json(data)
    monkeypatch.setattr(parts, "measure_drift", lambda it: drift if it is lab else None)
    assert run_drift(lab, folder=tmp_path) == (
        Difference('jicofo x: null -> "<jms>"', judged=False),
    )
    assert json.loads((tmp_path / "drift.json").read_text()) == drift.to_json()


def test_a_difference_is_there_once_and_unjudged_ones_come_first() -> None:
    entry = {"nodes": ["jms"], "area": "jicofo", "where": "", "name": "x", "packaged": "1"}
    one, other = ({**entry, "placed": placed} for placed in ("2", "3"))
    skip = {"node": "jms", "area": "nginx", "reason": "'x' is not there"}
    found = read(
        {
            "unknown": [other, other],
            "intended": [{**one, "reason": "r"}, {**other, "reason": "r"}],
            "skipped": [skip, skip],
        }
    )
    assert found == (
        Difference("nginx on jms: not compared, because 'x' is not there", judged=False),
        Difference('jicofo x: "1" -> "3"', judged=False),
        Difference('jicofo x: "1" -> "2"', judged=True),
    )


def test_the_contract_is_checked_and_kept(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = tuple(
        EntryRecord(name, "jicofo", EntryKind.FILE, "jms", "docs", ()) for name in ("a", "b")
    )
    record = ContractRecord("demo", False, {}, entries, {})

    def check(checked: Lab, table: Any, *, progress: Any) -> str:
        assert checked is lab and table and progress is silent
        return "checked"

    def note(checked: str, *, lab: str) -> ContractRecord:
        assert (checked, lab) == ("checked", "demo")
        return record

    clock = iter((100.0, 106.0))
    monkeypatch.setattr(parts, "check_lab", check)
    monkeypatch.setattr(parts, "record_check", note)
    monkeypatch.setattr(parts, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert run_contract(lab, folder=tmp_path, progress=silent) == (
        GateCase("jicofo: a", CaseOutcome.PASSED, 3.0),
        GateCase("jicofo: b", CaseOutcome.PASSED, 3.0),
    )
    assert json.loads((tmp_path / "contract.json").read_text()) == record.to_json()


def test_an_entry_alone_has_all_the_seconds() -> None:
    entry = EntryRecord("a", "jicofo", EntryKind.FILE, "jms", "docs", ())
    record = ContractRecord("demo", False, {}, (entry,), {})
    (found,) = entries_of(record, seconds=3.0)
    assert found.seconds == 3.0
    (found,) = entries_of(record)
    assert found.seconds == 0.0


def test_a_contract_without_entries_has_no_cases() -> None:
    assert entries_of(ContractRecord("demo", False, {}, (), {}), seconds=3.0) == ()
