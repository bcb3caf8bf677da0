"""The sequence diagrams have the order of what was recorded.

Below a message of a diagram a comment names the node, the program and words of a line of its log:
`%% jms Jicofo: Lost a bridge`.  These lines must be in the trace of the page, in this order.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

FOLDER = DOCS / "explanation"
PAGES = sorted(FOLDER.glob("*.md"))
NOTE = re.compile(r"^ *%% (\w+) (\w+): (.+)$", re.MULTILINE)
LINE = re.compile(r"(\d\d:\d\d:\d\d)(\.\d{3})? +(\w+) +(Jicofo|JVB|Prosody) +(\S.*)")


def trace_of(page: Path) -> list[tuple[str, str, str]]:
    """Node, program and words of each line that was recorded."""
    lines = (FOLDER / "traces" / f"{page.stem}.log").read_text(encoding="utf-8").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    return [(match[3], match[4], match[5]) for match in found if match is not None]


def out_of_order(notes: list[tuple[str, str, str]], trace: list[tuple[str, str, str]]) -> str:
    """The first note that the trace does not have after those before it; empty if it has all."""
    at = 0
    for node, program, words in notes:
        later = (
            index + 1
            for index, line in enumerate(trace[at:], at)
            if line[:2] == (node, program) and words in line[2]
        )
        at = next(later, -1)
        if at < 0:
            return words
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_diagram_has_the_order_of_its_trace(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    notes = NOTE.findall(text)
    assert len(notes) >= 8
    assert not out_of_order(notes, trace_of(page))
    assert f"(traces/{page.stem}.log)" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_trace_is_in_order(page: Path) -> None:
    """Prosody writes whole seconds: its lines are within their second."""
    lines = (FOLDER / "traces" / f"{page.stem}.log").read_text(encoding="utf-8").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), "each line has a time, a node, a program and words"
    times = [(match[1], match[2]) for match in found if match is not None]
    assert [second for second, _ in times] == sorted(second for second, _ in times)
    exact = [second + part for second, part in times if part]
    assert exact == sorted(exact)


def test_another_order_is_found() -> None:
    trace = [("jms", "Jicofo", "a 1"), ("jvb1", "JVB", "b 2"), ("jms", "Jicofo", "c 3")]
    assert not out_of_order([("jms", "Jicofo", "a"), ("jms", "Jicofo", "c")], trace)
    assert out_of_order([("jvb1", "JVB", "b"), ("jms", "Jicofo", "a")], trace) == "a"
    assert out_of_order([("jms", "Jicofo", "b")], trace) == "b"
