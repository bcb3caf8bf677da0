"""`labctl destroy` asks on a terminal about a lab that runs, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli import stop
from labctl.lab import current
from labctl.providers import table
from labctl.topology.lab import Lab
from labctl.topology.spec import ProviderName
from tests.nullprovider import NullProvider


@pytest.fixture
def provider(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NullProvider:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    made = table.TABLE[ProviderName.DOCKER]
    assert isinstance(made, NullProvider)
    return made


def run(*words: str, answer: str = "", terminal: bool, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(stop, "is_terminal", lambda: terminal)
    return CliRunner().invoke(
        stop.destroy_command, ["--lab", "demo", *words], input=answer, standalone_mode=False
    )


@pytest.mark.parametrize(
    ("answer", "gone"), [("y\n", True), ("n\n", False), ("\n", False)], ids=["yes", "no", "enter"]
)
def test_a_lab_that_runs(
    answer: str, *, gone: bool, lab: Lab, provider: NullProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(answer=answer, terminal=True, monkeypatch=monkeypatch)
    assert done.exception is None
    assert "Lab 'demo' runs (jms, jvb1, visitors1)." in done.stderr
    assert done.return_value == (0 if gone else 1)
    assert lab.folder.path.exists() is not gone
    assert ("clean" in provider.said) is gone


def test_an_end_of_input_removes_nothing(
    lab: Lab, provider: NullProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(terminal=True, monkeypatch=monkeypatch).exception is not None
    assert lab.folder.exists()


@pytest.mark.parametrize(
    ("words", "terminal", "state"),
    [(["--yes"], True, "running"), ([], False, "running"), ([], True, "stopped")],
    ids=["--yes", "no terminal", "does not run"],
)
def test_nobody_is_asked(
    words: list[str],
    *,
    terminal: bool,
    state: str,
    lab: Lab,
    provider: NullProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider.states.update(dict.fromkeys(provider.states, state))
    done = run(*words, terminal=terminal, monkeypatch=monkeypatch)
    assert done.exception is None
    assert "Remove it" not in done.stderr
    assert not lab.folder.path.exists()


def test_a_lab_that_cannot_be_asked_may_run(
    lab: Lab, provider: NullProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.folder.topology_file.write_text("{")
    done = run(answer="n\n", terminal=True, monkeypatch=monkeypatch)
    assert "perhaps" in done.stderr
    assert lab.folder.path.exists()
