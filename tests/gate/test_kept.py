"""A baseline that an earlier gate measured is told from one that this gate did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.gate import Gate, judge_gate, render_text
from labctl.gate.page import render_page
from tests.gate.sides import make_side


@pytest.mark.parametrize("cached", ["2026-11-29 10:12", ""])
def test_page_text_and_json_say_when_the_baseline_was_measured(cached: str) -> None:
    gate = judge_gate(make_side(), make_side("baseline", cached=cached))
    for shown in (render_text(gate, folder=Path("/x")), render_page(gate)):
        assert ("2026-11-29 10:12 (kept)" in shown) is bool(cached)
    data = json.loads(json.dumps(gate.to_json()))
    assert data["baseline"]["cached"] == cached
    assert Gate.from_json(data) == gate
