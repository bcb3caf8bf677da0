"""Help: grouped, with examples, nothing cut off, and no colours where they do not belong."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from labctl.cli.main import VERBS, VerbGroup, cli, grouped_verbs
from labctl.cli.manpage import all_paths
from labctl.cli.richhelp import split_examples
from labctl.core.exits import MEANINGS, OTHERS, ExitCode

NOT_CUT = 60, 80, 200


ALL = list(all_paths(cli))
EACH = pytest.mark.parametrize("path", ALL, ids=[" ".join(path) or "labctl" for path in ALL])


def shown(*path: str, width: int = 80) -> str:
    done = CliRunner().invoke(cli, [*path, "--help"], env={"COLUMNS": str(width)})
    assert done.exit_code == 0
    return done.output


def command_at(path: tuple[str, ...]) -> click.Command:
    found: click.Command | None = cli
    for name in path:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)
    assert found is not None
    return found


@EACH
@pytest.mark.parametrize("width", NOT_CUT)
def test_nothing_is_cut_off(path: tuple[str, ...], width: int) -> None:
    text = shown(*path, width=width)
    assert "…" not in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for param in command_at(path).params:
        if isinstance(param, click.Option):
            assert all(name in words for name in param.opts)
            # Another column may stand between the lines of a help text.
            assert set((param.help or "?").split()) <= set(words.split()), param.name


@EACH
def test_each_verb_has_examples_that_stand_on_their_own(path: tuple[str, ...]) -> None:
    _, examples = split_examples(command_at(path).help or "")
    assert examples, "examples are a paragraph that begins with \\b"
    said = f"labctl {' '.join(path)}".strip()
    assert all(line.startswith("labctl ") for line in examples)
    assert any(line.startswith(said) for line in examples)
    text = shown(*path)
    assert all(f"   {line}\n" in f"{text}\n" for line in examples), "a line to copy is one line"


def test_verbs_are_listed_in_groups() -> None:
    groups = grouped_verbs()
    assert sorted(name for verbs in groups.values() for name in verbs) == sorted(VERBS)
    text = shown()
    places = [text.index(f"{title}:") for title in groups]
    assert places == sorted(places)
    listed = " ".join(text.split())
    assert all(f"{name} {verb.help}" in listed for name, verb in VERBS.items())
    assert list(groups) == [str(each) for each in VerbGroup if str(each) in groups]


def test_help_says_what_an_exit_status_means() -> None:
    text = " ".join(shown().split())
    assert set(MEANINGS) == set(ExitCode)
    assert all(f"{int(code)} {words}" in text for code, words in MEANINGS.items())


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("statsu",), "'status'"),
        (("verfiy", "-m", "x"), "'verify'"),
        (("drill", "lst"), "'list'"),
        (("images", "prun"), "'prune'"),
        (("up", "--jvb", "3"), "'--jvbs'"),
    ],
)
def test_a_mistyped_verb_gets_the_nearest(words: tuple[str, ...], meant: str) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "Did you mean" in done.output
    assert meant in done.output


def test_a_word_like_no_verb_gets_no_advice() -> None:
    assert "Did you mean" not in CliRunner().invoke(cli, ["xyzzy"]).output


def on_a_terminal(*words: str, root: Path, **env: str) -> str:
    """What labctl writes to a terminal of 80x24."""
    ours, theirs = pty.openpty()
    script = "from labctl.cli import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=root,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    with os.fdopen(ours, "rb", buffering=0) as stream:
        try:
            while piece := stream.read(4096):
                said += piece
        except OSError:
            pass  # the terminal's other end has gone
    child.wait(timeout=30)
    return said.decode()


@pytest.mark.programs
def test_colours_are_for_terminals_that_want_them(root: Path) -> None:
    assert "\x1b[" in on_a_terminal("--help", root=root)
    assert "\x1b" not in on_a_terminal("--help", root=root, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("ssh", "x", "--lab", "no!", root=root, NO_COLOR="1")
    assert "\x1b[" in on_a_terminal("ssh", "x", "--lab", "no!", root=root)


def test_the_page_has_the_exit_statuses(root: Path) -> None:
    page = (root / "docs" / "command-line.md").read_text(encoding="utf-8")
    rows = [f"| {int(code)} | {words} |" for code, words in MEANINGS.items()]
    assert "\n".join(rows) in page
    assert OTHERS in page
