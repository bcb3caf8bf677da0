"""A snapshot in words: tables, text for a pipe, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labctl.live.model import Group, LiveBridge, LiveVNode, NodeMood, Present, Snapshot, Totals
from labctl.live.table import (
    Tone,
    bridge_word,
    headline,
    rate_word,
    tables,
    totals_line,
    vnode_word,
)
from labctl.live.text import printable, render_snapshot
from tests.live.make import make_bridge, make_broken, make_node, make_snapshot, make_vnode


def test_a_snapshot_survives_json() -> None:
    for made in (make_snapshot(), make_broken()):
        assert Snapshot.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    ("bridge", "word"),
    [
        (make_bridge("jvb"), "operational"),
        (make_bridge("jvb", draining=True), "draining"),
        (make_bridge("jvb", draining=True, shutting_down=True), "shutting down"),
        (make_bridge("jvb", in_brewery=False, operational=False), "NOT in the brewery"),
        (make_bridge("jvb", operational=False, healthy=False), "NOT operational, unhealthy"),
        (make_bridge("jvb", stale=True), "stale"),
    ],
)
def test_words_for_a_bridge(bridge: LiveBridge, word: str) -> None:
    assert bridge_word(bridge) == word


@pytest.mark.parametrize(
    ("vnode", "word"),
    [
        (make_vnode(1), "registered"),
        (make_vnode(1, registered=False), "NOT registered"),
        (make_vnode(1, active=False, registered=False), "NOT active, NOT registered"),
        (make_vnode(1, stale=True), "stale"),
    ],
)
def test_words_for_a_vnode(vnode: LiveVNode, word: str) -> None:
    assert vnode_word(vnode) == word


@pytest.mark.parametrize(
    ("bits", "word"),
    [(0, "0 b/s"), (999, "999 b/s"), (2500, "2.5 kb/s"), (7.5e6, "7.5 Mb/s"), (1e9, "1.0 Gb/s")],
)
def test_rates(bits: float, word: str) -> None:
    assert rate_word(bits) == word


def test_a_row_knows_its_node_and_whether_it_is_bad() -> None:
    nodes, bridges, vnodes, conferences = tables(make_broken())
    assert [(row.node, row.tone) for row in bridges.rows] == [
        ("jms", Tone.PLAIN),
        ("jvb1", Tone.BAD),
        ("jvb2", Tone.BAD),
    ]
    assert [row.cells[1] for row in nodes.rows] == ["fine", "TROUBLE", "STALE 31 s", "SILENT"]
    assert [row.tone for row in vnodes.rows] == [Tone.PLAIN, Tone.BAD, Tone.BAD]
    assert conferences.rows[-1].cells[0] == "and 7 more"


@pytest.mark.parametrize(
    ("present", "word"),
    [
        (Present(), "-"),
        (Present((Group("a@x", ("a", "b")), Group("b@x", ("c",)))), "a, b, c"),
        (Present((Group("a@x", ("a", "b", "c", "d")),), left_out=1996), "a, b, c, 1997 more"),
    ],
)
def test_who_is_on_a_bridge_or_vnode(present: Present, word: str) -> None:
    places = (make_bridge("jvb", present=present),), (make_vnode(1, present=present),)
    bridges, vnodes = tables(replace(make_snapshot(), bridges=places[0], vnodes=places[1]))[1:3]
    assert bridges.rows[0].cells[-1] == vnodes.rows[0].cells[-1] == word


def test_a_lab_without_vnodes_has_no_table_of_them() -> None:
    assert [it.title for it in tables(make_snapshot(vnodes=0))] == [
        "Nodes",
        "Bridges",
        "Conferences",
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "Lab 'demo': healthy"),
        ({"healthy": False, "missing": {"x": "y"}}, "Lab 'demo': NOT healthy (1 missing)"),
        ({"healthy": False, "complete": False}, "Lab 'demo': asking its nodes ..."),
        ({"drill": "failover"}, "Lab 'demo': healthy; drill 'failover' is not over"),
    ],
)
def test_the_headline(changed: dict[str, object], line: str) -> None:
    assert headline(make_snapshot(**changed)) == line


def test_jicofo_that_does_not_answer_is_told() -> None:
    silent = replace(make_snapshot(), totals=Totals())
    assert totals_line(silent) == "Jicofo does not answer."
    assert totals_line(replace(silent, complete=False)) == ""


def test_text_has_no_character_that_moves_a_cursor() -> None:
    text = render_snapshot(make_broken())
    assert not {"\x1b", "\u202e", "\r", "\x9b"} & set(text)
    assert "<img src=x onerror=alert(1)>\ufffd[2J\ufffd" in text
    for words in ("STAND-INS", "Missing:", "STALE 31 s", "ERROR: Created", "and 7 more"):
        assert words in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Büro 1 – 会議 🎉", "Büro 1 – 会議 🎉"),
        ("a\x1b]0;title\x07b", "a\ufffd]0;title\ufffdb"),
        ("a\nb\tc\u2028d", "a\ufffdb\ufffdc\ufffdd"),
        ("a\u2066b\u200b", "a\ufffdb\ufffd"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_node_without_units_says_why() -> None:
    node = make_node("jvb1", mood=NodeMood.SILENT, units={}, error="Connection refused")
    [row, *_] = tables(make_snapshot(nodes=(node,)))[0].rows
    assert row.cells[2] == "Connection refused"
