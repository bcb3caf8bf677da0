"""What the programs that the gate runs have written, read back."""

from __future__ import annotations

import pytest

from labctl.cli.gate import parse_drill_names
from labctl.gate.model import Outcome
from labctl.gate.parts import merge_retry, parse_drift, parse_drills
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
            {"says": "re-invited", "seen": "nothing in 40 s", "verdict": "worse"},
            {"says": "healthy", "seen": "it is", "verdict": "as expected"},
        ],
    },
    {"name": "relay", "verdict": "skipped", "seconds": 0.0, "reason": "no relays", "findings": []},
]


def test_drills() -> None:
    good, bad, left_out = parse_drills(DRILLS)
    assert (good.name, good.outcome, good.seconds) == ("failover", Outcome.PASSED, 21.5)
    assert bad.outcome is Outcome.FAILED
    assert bad.message == "re-invited: nothing in 40 s; jvb1 does not run"
    assert (left_out.outcome, left_out.message) == (Outcome.SKIPPED, "no relays")


def test_drift() -> None:
    entry = {"nodes": ["jms"], "area": "jicofo", "where": "", "name": "jicofo.x"}
    changed = {**entry, "packaged": 1, "placed": None}
    meant = {**entry, "name": "jicofo.y", "where": "v1", "packaged": "a", "placed": "b"}
    made_up = {**changed, "name": "nick", "packaged": "21c2d51c-2ae2-4c0c-ad1f-8b1a3e0f5d2c"}
    found = parse_drift({"unknown": [made_up], "intended": []})
    assert [each.text for each in found] == ['jicofo nick: "<id>" -> null']
    found = parse_drift({"unknown": [changed], "intended": [{**meant, "reason": "r"}]})
    assert [(each.text, each.judged) for each in found] == [
        ("jicofo jicofo.x: 1 -> null", False),
        ('jicofo [v1] jicofo.y: "a" -> "b"', True),
    ]


def test_what_passes_the_second_time_is_flaky() -> None:
    first = [case("test_a"), case("test_b", FAILED, "late"), case("test_c", FAILED, "wrong")]
    again = [case("test_b"), case("test_c", FAILED, "wrong")]
    merged = merge_retry(first, again)
    assert [each.outcome for each in merged] == [Outcome.PASSED, FLAKY, FAILED]
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
