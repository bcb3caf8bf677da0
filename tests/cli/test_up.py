"""`labctl up`: the end that people read, and what programs are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli import common
from labctl.cli.up import up_command
from labctl.lab import current
from labctl.topology.lab import Lab
from tests.fakes.host import FakeHost
from tests.fakes.nodes import FakeNodes
from tests.schemas import checked


@pytest.fixture(autouse=True)
def _here(lab: Lab, nodes: FakeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    monkeypatch.setattr(current, "ensure_plain_vagrant", lambda *_: None)
    monkeypatch.setattr("labctl.cli.up.Workdir.of", lambda name: lab.folder)
    for node in lab.topology.nodes:
        FakeHost.on(nodes, node.name)


def up(*words: str) -> Any:
    named = ["--lab", "demo", "--jvbs", "1", "--visitors", "2", *words]
    return CliRunner().invoke(up_command, named, standalone_mode=False)


def rows(done: Any) -> Mapping[str, str]:
    lines = (line.strip().partition(" ") for line in done.stdout.splitlines() if line[:2] == "  ")
    return {name: text.strip() for name, _, text in lines}


def test_the_second_lab_of_a_shape_knows_what_to_expect() -> None:
    first, second = up(), up()
    assert first.exception is None
    assert "expected" not in first.stderr
    assert "usually" not in rows(first)["slowest"]
    assert "as in an earlier run of such a lab" in second.stderr
    assert list(rows(second)) == ["phases", "slowest", "path", "packages", "web", "next"]


def test_a_lab_that_has_machines_is_no_example(lab: Lab) -> None:
    up()
    made = lab.folder.vagrant / "machines" / "jms" / "docker"
    made.mkdir(parents=True)
    (made / "id").write_text("x")
    done = up()
    assert "earlier run" not in done.stderr
    assert checked("up", up("--json").stdout)["expected"] is None


def test_programs_are_told_the_same() -> None:
    up()
    told = checked("up", up("--json").stdout)
    assert told["lab"] == "demo"
    assert set(told["seconds"]) == {"host", "images", "render", "machines", "provision", "ready"}
    assert set(told["expected"]) == {"render", "machines", "provision", "ready"}


def test_a_long_line_is_wrapped_below_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "jicofo 1.0-1196-1 (jitsi), " * 6
    assert "\n" not in common.summary_line("packages", text)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    lines = common.summary_line("packages", text).splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 60
    assert all(line.startswith(" " * 12) for line in lines[1:])
