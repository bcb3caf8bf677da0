"""`labctl config show` and `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.config import config_command, explain_command
from labctl.core.errors import UsageError


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.conf").write_text("lab = course\n\njvbs = 4\n")


def run(*words: str) -> Any:
    return CliRunner().invoke(config_command, words, standalone_mode=False)


def test_values_and_where_they_come_from() -> None:
    lines = run("show", "--visitors", "3").stdout.splitlines()
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines}
    assert rows["jvbs"] == ["4", "lab.conf, line 3"]
    assert rows["visitors.count"] == ["3", "--visitors"]
    assert rows["relays"] == ["off", "default"]


def test_only_what_is_changed_as_json() -> None:
    told = json.loads(run("show", "--changed", "--relays", "--json").stdout)
    assert told == {
        "lab": {"value": "course", "source": "file", "flag": None, "file": "lab.conf", "line": 1},
        "jvbs": {"value": 4, "source": "file", "flag": None, "file": "lab.conf", "line": 3},
        "relays": {"value": True, "source": "flag", "flag": "relays", "file": None, "line": None},
    }


def test_a_key_is_described() -> None:
    said = run("explain", "max-participants").stdout
    assert "1 to 1000." in said
    assert "--max-participants N" in said
    assert json.loads(run("explain", "network", "--json").stdout)["flag"] == "--network"
    assert isinstance(run("explain", "netwerk").exception, UsageError)
    assert "roles.visitors.cpus" in run("explain").stdout


def test_keys_are_completed() -> None:
    [argument] = explain_command.params[:1]
    found = argument.shell_complete(explain_command.make_context("explain", []), "visitors.")
    assert [item.value for item in found] == [
        "visitors.count", "visitors.per-node", "visitors.layout"
    ]  # fmt: skip
