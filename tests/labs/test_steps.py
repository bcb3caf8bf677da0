"""The tutorial's commands, one after another, on the lab of these tests.

Left out are what brings the lab up and removes it, what asks this machine, and the acceptance
suite: other tests run them.
"""

from __future__ import annotations

import pytest

from tests.docs.pages import DOCS, code_of, commands_in
from tests.labs.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OTHERS = {("up", "--jvbs"), ("doctor",), ("verify", "-m"), ("destroy",)}
FIND = {("status",), ("doctor", "--lab")}
"""They end with status 1 while something is broken."""


def steps() -> list[tuple[str, ...]]:
    lines = code_of((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    calls = [words for line in lines for words in commands_in(line)]
    return [words for words in calls if words[:2] not in OTHERS]


def test_the_steps_of_the_tutorial(lab: Lab) -> None:
    said: list[tuple[tuple[str, ...], str]] = []
    broken = False
    try:
        for words in steps():
            done = lab.run(*words, check=False)
            wanted = 1 if broken and words in FIND else 0
            assert done.code == wanted, f"{words}: {done.err}{done.out}"
            said.append((words, done.out + done.err))
            broken = (broken or "stop" in words) and words != ("up",)
    finally:
        lab.run("up", "--max-participants", "30")
    told = dict(said)
    assert len(told) >= 8
    crowds = [text for words, text in said if words[0] == "crowd"]
    assert "all media passed" in crowds[0]
    assert "on v" in crowds[1] and "Everybody was in the call." in crowds[1]
    assert "as expected" in told[("drill", "run", "bridge-stop")]
    assert "NOT healthy" in told[("status",)]
    assert "unit-stopped" in told[("doctor", "--lab")]
