"""What the programs that the gate runs have written, read back."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.cli.gate import parse_drill_names
from labctl.contract.report import ContractRecord, EntryRecord
from labctl.contract.table import EntryKind
from labctl.drift.report import Drift
from labctl.gate.model import NOT_DUE, CaseOutcome, Difference, GateCase
from labctl.gate.parts import (
    case_of,
    differences_of,
    entries_of,
    merge_retry,
    names_of_addresses,
)
from labctl.report.drill import DrillRecord
from labctl.topology.lab import Lab
from labctl.topology.versions import Versions
from tests.gate.sides import FAILED, FLAKY, case

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
