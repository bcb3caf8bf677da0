"""Every program that is started can be told before."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.core import process

STARTING = ("Popen", "execvp")


@pytest.fixture
def told() -> Iterator[list[str]]:
    lines: list[str] = []
    process.announce_programs(lines.append)
    yield lines
    process.announce_programs(None)


@pytest.mark.programs
def test_programs_are_told_as_lines_to_paste(told: list[str], tmp_path: Path) -> None:
    process.run(["echo", "a b"], cwd=tmp_path, env={"X_TOKEN": "geheim"})
    process.run(["cat"], stdin="four")
    process.pass_through(["true"], cwd=Path.cwd(), env={})
    assert told == [
        f"cd {tmp_path} && X_TOKEN='[secret]' echo 'a b'",
        "cat  # reads 4 characters",
        "true",
    ]


@pytest.mark.programs
def test_nobody_is_told_if_nobody_asks() -> None:
    assert not process.is_announcing()
    assert process.run(["echo", "x"]).output == "x\n"


def test_every_way_to_start_a_program_tells_first() -> None:
    """A function that starts a program calls `_announce` before it."""
    tree = ast.parse(inspect.getsource(process))
    starting = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        calls = [
            (call.lineno, getattr(call.func, "attr", getattr(call.func, "id", "")))
            for call in ast.walk(function)
            if isinstance(call, ast.Call)
        ]
        starts = [line for line, name in calls if name in STARTING]
        if starts:
            starting.append(function.name)
            assert any(line < min(starts) for line, name in calls if name == "_announce")
    assert starting == ["run", "exec_over", "pass_through", "start_bytes", "spawn"]
