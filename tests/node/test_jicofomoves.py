"""Jicofo's answers about where people are."""

from __future__ import annotations

import json

import pytest

from labctl.node.jicofomoves import parse_loads


def room(**bridges: list[str]) -> dict[str, object]:
    sessions = {nick: {"participants": {id: {} for id in who}} for nick, who in bridges.items()}
    return {"colibri_session_manager": {"sessions": sessions}}


def test_the_people_of_all_conferences_are_counted_by_bridge() -> None:
    text = json.dumps({"a@x": room(jvb=["1", "2"], jvb1=["3"]), "b@x": room(jvb=["4"]), "c@x": {}})
    assert parse_loads(text) == {"jvb": 3, "jvb1": 1}


@pytest.mark.parametrize("text", ["", "[]", "Not found", "null"])
def test_no_answer_is_not_an_empty_bridge(text: str) -> None:
    assert parse_loads(text) is None


def test_no_conference_is_an_empty_bridge() -> None:
    assert parse_loads("{}") == {}
