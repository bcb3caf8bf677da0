"""Findings that say the same of similar things are one group, and texts that are cut."""

from __future__ import annotations

import pytest

from labctl.gate.groups import cut, group_findings, mask, short_subject
from labctl.gate.model import GateFinding, Severity

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO


def finding(
    area: str, subject: str, text: str = "it failed", severity: Severity = FAIL
) -> GateFinding:
    return GateFinding(area, subject, severity, text)


@pytest.mark.parametrize(
    ("area", "one", "other", "together"),
    [
        ("logs", ("jvb Call.join", "x"), ("jvb Call.leave", "y"), True),
        ("logs", ("jvb Call.join", "x"), ("jicofo Call.join", "x"), False),
        ("logs", ("jvb a.Call.join", "x"), ("jvb a.Bridge.join", "x"), True),
        ("drift", ("prosody a: 1 -> 2", "not there"), ("prosody b: 3 -> 4", "not there"), True),
        ("drift", ("prosody a: 1 -> 2", "not there"), ("prosody b: 3 -> 4", "is gone"), False),
        ("drift", ("prosody a: 1 -> 2", "not there"), ("nginx a: 1 -> 2", "not there"), False),
        ("tests", ("x.py::test_a", "after 3 s\n1"), ("y.py::test_b", "after 12 s\n2"), True),
        ("tests", ("x.py::test_a", "after 3 s"), ("x.py::test_a", "no answer"), False),
        ("contract", ("jicofo: a", "mode is 640"), ("jicofo: b", "mode is 600"), True),
        ("drills", ("failover", "after 3 s"), ("bridge-kill", "after 3 s"), False),
        ("drills", ("failover", "after 3 s"), ("failover", "no sound"), True),
    ],
)  # fmt: skip
def test_what_belongs_together(
    area: str, one: tuple[str, str], other: tuple[str, str], together: bool
) -> None:
    groups = group_findings([finding(area, *one), finding(area, *other)])
    assert (len(groups) == 1) is together


def test_areas_and_severities_are_apart_and_the_worst_comes_first() -> None:
    groups = group_findings(
        [
            finding("drills", "a", severity=INFO),
            finding("media", "a"),
            finding("drills", "a"),
            finding("drills", "b", severity=ATTENTION),
        ]
    )
    assert [(it.severity, it.area, it.title) for it in groups] == [
        (FAIL, "media", "a"),
        (FAIL, "drills", "a"),
        (ATTENTION, "drills", "b"),
        (INFO, "drills", "a"),
    ]


def test_a_group_is_titled_by_its_first_finding_and_counts_the_other_subjects() -> None:
    (group,) = group_findings(
        [
            finding("tests", "acceptance/test_x.py::test_a[1]", "late by 3 s\nmore"),
            finding("tests", "acceptance/test_x.py::test_a[1]", "late by 4 s"),
            finding("tests", "acceptance/test_x.py::test_b", "late by 5 s"),
        ]
    )
    assert group.title == "test_a[1] and 1 more"
    assert group.subjects == ("test_a[1]", "test_b")
    assert group.example == "late by 3 s …"
    (alone,) = group_findings([finding("tests", "test_a")])
    assert alone.title == "test_a"


def test_examples_and_titles_are_cut() -> None:
    (group,) = group_findings([finding("drills", "s" * 200, "t" * 200)])
    assert group.example == "t" * 158 + " …"
    assert group.title == short_subject(group.findings[0]) == "s" * 88 + " …"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0123456789", "0123456789"),
        ("0123456789a", "01234567 …"),
        ("0123456 89a", "0123456 …"),
        ("one\ntwo\nthree", "one …"),
        ("one\n \n", "one"),
    ],
)
def test_the_first_line_and_no_more_than_its_length(text: str, short: str) -> None:
    assert cut(text, 10) == short


def test_what_differs_from_case_to_case_is_masked() -> None:
    assert mask("10.0.0.1:443 after 3.5 s, id deadbeef01: bad\nmore 1\nmore 2") == (
        "<n> after <n> s, id <n>: bad"
    )
