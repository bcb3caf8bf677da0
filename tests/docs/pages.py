"""The pages that people read, their code, and the commands of labctl in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from labctl.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NO_SHELL = {"mermaid", "yaml", "hocon", "json", "text"}
PROGRAMS = ("labctl", "bin/labctl")
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_-]*")


@dataclass(frozen=True)
class Command:
    """A command of labctl on a page: its words after the program's name.

    In the text, unlike in a block, arguments and the value of the last option may be left out.
    """

    page: str
    words: tuple[str, ...]
    in_text: bool = False

    def __str__(self) -> str:
        return f"{self.page}: labctl {shlex.join(self.words)}"


def pages() -> list[Path]:
    """Every page of which the commands are checked."""
    return [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("README*.md"))]


def code_of(text: str) -> list[str]:
    """What stands in blocks of code, fenced or indented, line by line in order."""
    found = []
    fenced = re.sub(FENCE, _indented, text)
    for line in re.sub(r" *\\\n *", " ", fenced).splitlines():
        if line.startswith("    "):
            found.append(line.strip())
    return found


def _indented(found: re.Match[str]) -> str:
    if found[2] in NO_SHELL:
        return ""
    return "".join(f"    {line}\n" for line in found[3].splitlines())


def spans_of(text: str) -> Iterator[str]:
    """What stands as code within the text."""
    prose = "\n".join(
        line for line in re.sub(FENCE, "", text).splitlines() if not line.startswith("    ")
    )
    yield from re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)


def commands_in(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each call of labctl in a line of shell; two blanks begin a remark."""
    line = re.split(r" {2,}", line.removeprefix("$ "))[0]
    line = re.sub(r"\[(-[^\]]*)\]", r"\1", line)
    line = re.sub(r"\d?>+ *\S+", "", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError:
        return
    call: list[str] | None = None
    for before, word in zip(["&&", *words], words, strict=False):
        if set(word) <= set("|&;<>"):
            if call is not None:
                yield tuple(call)
            call = None
        elif call is not None:
            call.append(word)
        elif word in PROGRAMS and (before in ("&&", "|", ";", "sudo") or "=" in before):
            call = []
    if call is not None:
        yield tuple(call)


def commands() -> list[Command]:
    """Every call of labctl on the pages."""
    found = {}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        lines = [*((each, False) for each in code_of(text)), *((e, True) for e in spans_of(text))]
        for line, in_text in lines:
            for words in commands_in(line):
                found[Command(str(page.relative_to(ROOT)), words, in_text)] = None
    return list(found)


def problem_of(words: tuple[str, ...]) -> str:
    """What labctl's command line would not take of a call; empty if it takes all."""
    command: click.Command = cli
    context = _context(cli, "labctl")
    rest = list(words)
    while True:
        try:
            given, rest, _ = command.make_parser(context).parse_args(rest)
        except click.UsageError as error:
            return error.format_message()
        if wrong := next(_wrong_values(command, context, given), ""):
            return wrong
        if not isinstance(command, click.Group):
            return f"unexpected: {' '.join(rest)}" if rest else ""
        if not rest or PLACEHOLDER.fullmatch(rest[0]):
            return ""  # the group itself, or any of its verbs
        found = command.get_command(context, rest[0])
        if found is None:
            return f"no such verb: {rest[0]}"
        command, context = found, _context(found, rest[0], parent=context)
        rest = rest[1:]


def _context(
    command: click.Command, name: str, *, parent: click.Context | None = None
) -> click.Context:
    settings: dict[str, Any] = dict(command.context_settings)
    return click.Context(command, info_name=name, parent=parent, **settings)


CHECKED = (click.Choice, click.types.IntParamType, click.types.FloatParamType)


def _wrong_values(
    command: click.Command, context: click.Context, given: dict[str, object]
) -> Iterator[str]:
    for param in command.get_params(context):
        value = given.get(param.name or "")
        if isinstance(param, click.Argument):
            missing = not isinstance(value, str | list | tuple) or not value
            if param.required and missing and given.get("help") is not True:
                yield f"{param.human_readable_name} is missing"
            continue
        checked = isinstance(param.type, CHECKED) and isinstance(value, str)
        if checked and not PLACEHOLDER.fullmatch(str(value)):
            try:
                param.type.convert(value, param, context)
            except click.UsageError as error:
                yield error.format_message()
