"""The commands of labctl in stories, hints and docs/training.md exist, with their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from labctl.cli.main import cli
from labctl.topology.workdir import ROOT

PAGES = [*sorted(ROOT.glob("training/**/*.md")), ROOT / "docs" / "training.md"]
COMMAND = re.compile(r"`(?:bin/)?(labctl [^`]+)`|(?m:^ {4}(?:bin/)?(labctl .+)$)")


def commands() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found in COMMAND.finditer(page.read_text(encoding="utf-8")):
            text = " ".join((found[1] or found[2]).split()).partition(" #")[0].partition(" |")[0]
            yield page, text


@pytest.mark.parametrize(
    ("page", "text"), [pytest.param(page, text, id=text) for page, text in commands()]
)
def test_a_command_can_be_typed(page: Path, text: str) -> None:
    words = shlex.split(text)[1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"{page}: there is no '{words[0]}'"
        command, words = found, words[1:]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    strange = [word for word in words if word.startswith("--") and word not in (*known, "--")]
    assert not strange, f"{page}: '{text}'"


def test_there_are_commands_in_the_pages() -> None:
    assert len(list(commands())) > 15
