"""`labctl graph`: what is drawn, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.graph import graph_command
from labctl.core.errors import UsageError
from labctl.ready.record import save_record
from labctl.topology.lab import Lab


@pytest.fixture(autouse=True)
def _named(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("labctl.topology.workdir.Workdir.of", lambda name: lab.folder)
    monkeypatch.chdir(tmp_path)
    save_record(lab.folder, {"jvb": "", "jvb1": ""}, by="up")


def run(*words: str) -> Any:
    return CliRunner().invoke(graph_command, ["--lab", "demo", *words], standalone_mode=False)


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_the_spec_is_drawn_and_nothing_is_changed(tmp_path: Path) -> None:
    before = listing(tmp_path)
    done = run("--jvbs", "3", "--network", "10.9.8.0/24")
    assert "Lab 'demo': meet.lab.internal, 5 nodes, 4 bridges" in done.stdout
    assert "jvb3  10.9.8.108\n" in done.stdout
    assert listing(tmp_path) == before


def test_a_network_is_chosen_without_being_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    lab.folder.topology_file.unlink()
    monkeypatch.setattr("labctl.lab.network.check_machine", lambda *_, **__: None)
    before = listing(tmp_path)
    done = run("--network", "auto")
    assert "192.168.56.0/24" in done.stdout
    assert listing(tmp_path) == before


def test_the_running_lab_is_drawn_with_its_state() -> None:
    done = run("--running")
    assert "visitors1  192.168.56.201  ok\n" in done.stdout
    assert "4 nodes" not in done.stdout


def test_flags_of_the_spec_are_refused_for_the_running_lab() -> None:
    error = run("--running", "--jvbs", "3").exception
    assert isinstance(error, UsageError)
    assert "'--jvbs' means nothing with it" in error.message


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["-o", "lab.svg"], "<svg "),
        (["-o", "lab.mmd"], "---\ntitle"),
        (["-o", "lab.txt"], "Lab 'demo'"),
        (["-o", "lab.md", "--format", "mermaid"], "---\ntitle"),
    ],
    ids=["svg", "mermaid", "text", "named"],
)
def test_the_files_name_says_how_it_is_written(words: list[str], start: str) -> None:
    done = run(*words)
    assert done.exception is None
    assert done.stdout == f"{words[1]}\n"
    assert Path(words[1]).read_text(encoding="utf-8").startswith(start)


def test_a_name_that_says_nothing_is_refused() -> None:
    error = run("-o", "lab.png").exception
    assert isinstance(error, UsageError)
    assert ".svg, .mmd, .txt" in (error.hint or "")
    assert not Path("lab.png").exists()
