"""`-v`: before the verb or after it."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from labctl.cli.main import VERBS, cli
from labctl.core import process

PASSING_ON = {"verify", "exec"}
"""Their '-v' is for another program."""


@pytest.fixture(autouse=True)
def _silent_again() -> Iterator[None]:
    yield
    process.announce_programs(None)


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_it(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    count = sum("-v" in parameter.opts for parameter in command.params)
    assert count == (0 if name in PASSING_ON else 1)
    cli.get_command(click.Context(cli), name)
    assert sum("-v" in parameter.opts for parameter in command.params) == count


@pytest.mark.programs
@pytest.mark.parametrize("words", [("-v", "init", "--list"), ("init", "--list", "-v")])
def test_programs_are_printed_to_standard_error(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert process.is_announcing()


@pytest.mark.programs
def test_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.spec.starters.STARTERS", ())
    monkeypatch.setattr("labctl.cli.init._list", lambda **_: process.run(["true", "a b"]))
    done = CliRunner().invoke(cli, ["-v", "init", "--list"])
    assert done.stderr == "$ true 'a b'\n"
    assert done.stdout == ""
