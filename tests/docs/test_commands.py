"""Every command on the pages is one that labctl takes; those that need no lab are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli.main import cli
from labctl.drills import DRILLS
from labctl.lab import current
from labctl.spec.explain import all_keys
from labctl.spec.starters import STARTERS
from labctl.topology.lab import Lab
from tests.docs.pages import (
    DOCS,
    PLACEHOLDER,
    ROOT,
    Command,
    code_of,
    commands,
    commands_in,
    problem_of,
    spans_of,
)

ALL = commands()
NO_LAB = (
    ("init",), ("config",), ("render",), ("drill", "list"), ("contract", "--pairs"),
    ("completion",), ("man",), ("graph",), ("plan",), ("class", "list"),
)  # fmt: skip
"""What these do needs neither nodes nor images."""
INCOMPLETE = r"requires an argument|is missing$"
"""What a text may leave out that names a verb or an option."""
NEEDS_MORE = {"--running", "--live", "--write", "--state"}
"""Options with which they do."""


def test_all_pages_have_commands() -> None:
    found = {each.page for each in ALL}
    assert {"README.md", "README.zh-CN.md", "docs/tutorial.md", "docs/howto/ci.md"} <= found
    assert len(ALL) > 200


@pytest.mark.parametrize("command", ALL, ids=str)
def test_labctl_takes_it(command: Command) -> None:
    problem = problem_of(command.words)
    assert not problem or (command.in_text and re.search(INCOMPLETE, problem))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stauts",), "no such verb: stauts"),
        (("drill", "rnu"), "no such verb: rnu"),
        (("up", "--jvb", "3"), "No such option '--jvb'"),
        (("up", "--jvbs"), "requires an argument"),
        (("up", "now"), "unexpected: now"),
        (("images", "show"), "IMAGE is missing"),
        (("crowd", "--media", "many"), "not a valid integer"),
        (("crowd", "--media-kind", "smell"), "is not one of"),
        (("VERB", "--help"), ""),
        (("exec", "jms", "--", "ls", "--color"), ""),
    ],
)
def test_what_it_does_not_take_is_found(words: tuple[str, ...], said: str) -> None:
    assert said in problem_of(words)
    assert bool(said) == bool(problem_of(words))


def named(*verb: str) -> set[str]:
    """The words without options that the pages give to a verb."""
    found = set()
    for command in ALL:
        if command.words[: len(verb)] == verb:
            rest = command.words[len(verb) :]
            found.update(
                word
                for before, word in zip(("", *rest), rest, strict=False)
                if not word.startswith("-") and not before.startswith("--")
            )
    return {word for word in found if not PLACEHOLDER.fullmatch(word)}


def test_drills_exist() -> None:
    assert named("drill", "run")
    assert named("drill", "run") <= {drill.name for drill in DRILLS} | {"all"}


def test_keys_exist() -> None:
    assert named("config", "explain")
    assert named("config", "explain") <= {each.key for each in all_keys()}


def test_templates_exist() -> None:
    given = {
        words[words.index("--template") + 1] for words in (c.words for c in ALL)
        if "--template" in words
    }  # fmt: skip
    given = {name for name in given if not PLACEHOLDER.fullmatch(name)}
    assert given and given <= {starter.name for starter in STARTERS}


def runs_without_a_lab(command: Command) -> bool:
    words = command.words
    complete = not any(PLACEHOLDER.fullmatch(word) or "..." in word for word in words)
    helps = {"--help", "-h"} & set(words)
    known = any(words[: len(verb)] == verb for verb in NO_LAB)
    return complete and bool(helps or (known and not NEEDS_MORE & set(words)))


RUN = list({each.words: each for each in ALL if runs_without_a_lab(each)}.values())


@pytest.mark.programs  # click asks bash for its version before it prints the completion
@pytest.mark.parametrize("command", RUN, ids=str)
def test_it_runs(
    command: Command, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    Path("course.conf").write_text("jvbs = 1\n", encoding="utf-8")
    done = CliRunner().invoke(cli, command.words, standalone_mode=False)
    assert done.exception is None, f"{command}: {done.output}"
    assert done.output


def shown(page: Path) -> list[str]:
    """The commands of a page in order: those in blocks, and those within the text."""
    text = page.read_text(encoding="utf-8")
    lines = [line.split(" #")[0].strip() for line in code_of(text)]
    calls = [line for line in (*lines, *spans_of(text)) if re.match(r"bin/(labctl|test)\b", line)]
    return [" ".join(call.split()) for call in calls]


def test_the_chinese_quick_start_is_in_step() -> None:
    english, chinese = shown(ROOT / "README.md"), shown(ROOT / "README.zh-CN.md")
    hint = "README.zh-CN.md has the commands of README.md, in the same order"
    assert [each for each in english if each not in chinese] == [], f"missing there; {hint}"
    assert chinese == english, hint


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("bin/labctl up --jvbs 2   # two more", [("up", "--jvbs", "2")]),
        ("labctl status --json | jq -r '.bridges[]'", [("status", "--json")]),
        ("mkdir c && labctl init && labctl up", [("init",), ("up",)]),
        ("labctl up -v 2> programs.txt", [("up", "-v")]),
        ("labctl verify -k 1143    only this one", [("verify", "-k", "1143")]),
        ("LABCTL_LAB=x labctl status", [("status",)]),
        ("labctl blip [--kill]", [("blip", "--kill")]),
        ("pipx install labctl", []),
        ("Lab 'demo' is ready: labctl says so", []),
    ],
)
def test_calls_are_found(line: str, calls: list[tuple[str, ...]]) -> None:
    assert list(commands_in(line)) == calls


def test_blocks_are_found() -> None:
    text = "a\n\n    one \\\n two\n\n```sh\nthree\n```\n```yaml\nno: 1\n```\n- b\n\n        four\n"
    assert code_of(text) == ["one two", "three", "four"]
    assert list(spans_of("use `labctl up`, not\n\n    `this`\n")) == ["labctl up"]


def test_docs_are_here() -> None:
    assert (DOCS / "tutorial.md").is_file()
