"""`labctl e2e`: what the flags mean, what is printed, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labctl.cli import e2e as module
from labctl.cli.e2e import e2e_command
from labctl.core.errors import UsageError
from labctl.e2e import needs
from labctl.topology.lab import Lab
from tests.e2e.make import write_checkout
from tests.fakes.wdio import PROGRAMS, FakeWdio
from tests.schemas import checked


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write_checkout(tmp_path / "jitsi-meet")


@pytest.fixture
def on_lab(lab: Lab, wdio: FakeWdio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeWdio:
    """A lab, and a machine that has everything and two cores."""
    monkeypatch.setattr(module, "load_lab", lambda name: lab)
    monkeypatch.setattr(needs, "want_programs", lambda suite, **_: PROGRAMS)
    monkeypatch.setattr("labctl.e2e.run.cores", lambda: 2)
    return wdio


def run(checkout: Path, *words: str) -> Result:
    return CliRunner().invoke(
        e2e_command, ["--suite", str(checkout), *words], standalone_mode=False
    )


def code(result: Result) -> Any:
    assert result.exception is None, result.exception
    return result.return_value


def test_all_that_passes(checkout: Path, on_lab: FakeWdio, lab: Lab) -> None:
    result = run(checkout)
    assert code(result) == 0
    assert on_lab.ran == ["ui/chatPanel", "ui/preJoin"]
    assert "4 specs: 2 passed, 2 not run" in result.stdout
    assert "[4/4] ui/preJoin: passed" in result.stderr
    names = {path.name for path in lab.folder.path.iterdir()}
    assert {"e2e.json", "e2e.xml", "e2e.html", "e2e"} <= names


def test_a_failure_in_a_folder_of_the_users(
    checkout: Path, on_lab: FakeWdio, tmp_path: Path, lab: Lab
) -> None:
    on_lab.does["ui/preJoin"] = ["fail"]
    result = run(checkout, "--spec", "preJoin", "--again", "2", "--report", str(tmp_path / "out"))
    assert code(result) == 1
    assert on_lab.ran == ["ui/preJoin"] * 3
    assert "failed   ui/preJoin" in result.stdout
    assert "ui/preJoin: works: no" in result.stdout
    assert f"Report: {tmp_path / 'out' / 'e2e.html'}" in result.stdout
    assert (tmp_path / "out" / "e2e.xml").is_file()
    assert not (lab.folder.path / "e2e.json").exists()


def test_json_and_more_browsers(checkout: Path, on_lab: FakeWdio) -> None:
    result = run(checkout, "--spec", "lastN", "--browsers", "4", "--json")
    assert code(result) == 0
    told = checked("e2e", result.stdout)
    assert (told["format"], told["most_browsers"]) == (1, 4)
    assert [spec["outcome"] for spec in told["specs"]] == ["passed"]


def test_nothing_that_ran_is_not_well(checkout: Path, on_lab: FakeWdio) -> None:
    assert code(run(checkout, "--spec", "lastN")) == 1


def test_interrupted_and_continued(checkout: Path, on_lab: FakeWdio) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    on_lab.does["ui/preJoin"] = [interrupt, "pass"]
    result = run(checkout)
    assert code(result) == 130
    assert "'--continue' runs the other specs" in result.stderr
    assert code(run(checkout, "--continue")) == 0
    assert on_lab.ran == ["ui/chatPanel", "ui/preJoin", "ui/preJoin"]


def test_windows(checkout: Path, on_lab: FakeWdio) -> None:
    run(checkout, "--spec", "preJoin", "--show")
    ((_, given),) = on_lab.calls
    assert given["env"]["HEADLESS"] == "false"
    assert "--headless" not in json.loads(given["env"]["LABCTL_E2E"])["args"]


def test_a_list_needs_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.e2e.run.cores", lambda: 2)
    checkout = write_checkout(tmp_path, installed=False)
    result = run(checkout, "--list")
    assert code(result) == 0
    many = "opens 4 browsers at once, and this machine is good for 2"
    assert result.stdout.splitlines() == [
        "jaas/chat     1 browser  not run: needs JaaS, which no lab has",
        f"media/lastN   4 browsers  not run: {many}",
        "ui/chatPanel  1 browser",
        "ui/preJoin    2 browsers",
    ]
    told = checked("e2e-list", run(checkout, "--list", "--json", "--spec", "ui/*").stdout)
    assert told[1] == {"name": "ui/preJoin", "browsers": 2, "not_run": ""}


def test_bad_input(tmp_path: Path) -> None:
    error = run(tmp_path).exception
    assert isinstance(error, UsageError)
    assert "holds no WebdriverIO suite" in error.message
