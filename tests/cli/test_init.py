"""`labctl init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.init import init_command
from labctl.core.errors import UsageError
from labctl.spec.starters import STARTERS, find_starter, render_starter


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Any:
    return CliRunner().invoke(init_command, words, standalone_mode=False)


def test_the_first_template_is_the_default(tmp_path: Path) -> None:
    assert run().stdout == "lab.conf\n"
    assert (tmp_path / "lab.conf").read_text() == render_starter(STARTERS[0])


def test_a_file_that_exists_is_kept(tmp_path: Path) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text("jvbs = 1\n")
    error = run("--template", "relays").exception
    assert isinstance(error, UsageError)
    assert "'--force'" in str(error.hint)
    assert conf.read_text() == "jvbs = 1\n"
    assert run("--template", "relays", "--force").exception is None
    assert conf.read_text() == render_starter(find_starter("relays"))


def test_another_file_and_json(tmp_path: Path) -> None:
    told = json.loads(run("--template", "auth-jwt", "--output", "a.conf", "--json").stdout)
    assert told["file"] == "a.conf"
    assert told["settings"]["auth"] == "jwt"
    assert (tmp_path / "a.conf").is_file()


def test_the_list_names_all_and_writes_nothing(tmp_path: Path) -> None:
    names = [line.split()[0] for line in run("--list").stdout.splitlines()]
    assert names == [each.name for each in STARTERS]
    assert [each["name"] for each in json.loads(run("--list", "--json").stdout)] == names
    assert not list(tmp_path.iterdir())


def test_names_are_completed() -> None:
    [option] = [param for param in init_command.params if "--template" in param.opts]
    found = option.shell_complete(init_command.make_context("init", []), "auth")
    assert [item.value for item in found] == ["auth-open", "auth-internal", "auth-jwt"]
