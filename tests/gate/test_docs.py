"""The examples in docs/gate.md: YAML that a parser reads, commands that labctl understands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.cli.gate import gate_command

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby, which Vagrant brings"),
]
LOAD = "require 'yaml'; require 'json'; puts JSON.generate(YAML.safe_load($stdin.read))"


def examples(root: Path) -> list[Any]:
    text = (root / "docs" / "gate.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [json.loads(run_ruby(block)) for block in blocks]


def run_ruby(text: str) -> str:
    done = subprocess.run(["ruby", "-e", LOAD], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(data: Any) -> Iterator[str]:
    """Every text in a document that calls labctl."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from commands(each)
    elif isinstance(data, str) and "bin/labctl " in data:
        yield data


def test_github(root: Path) -> None:
    github, _ = examples(root)
    job = github["jobs"]["gate"]
    assert "--cgroupns host" in job["container"]["options"]
    assert [step["uses"] for step in job["steps"] if "uses" in step] == [
        "actions/checkout@v4",
        "actions/upload-artifact@v4",
    ]
    assert all("run" in step or "uses" in step for step in job["steps"])


def test_gitlab(root: Path) -> None:
    _, gitlab = examples(root)
    job = gitlab["gate"]
    assert job["allow_failure"] == {"exit_codes": 3}
    assert job["artifacts"]["reports"]["junit"] == "gate/junit.xml"


def test_their_commands_are_labctls(root: Path) -> None:
    found = [command for example in examples(root) for command in commands(example)]
    assert len(found) == 2
    for command in found:
        words = shlex.split(command)
        assert words[1] == "gate"
        context = gate_command.make_context("gate", words[2:])
        assert context.params["candidate"].startswith("debs:")
        assert context.params["baseline"] == "jitsi:stable"
        assert str(context.params["folder"]) == "gate"
