"""How help looks: rich-click's panels, and the examples of a verb in a panel of their own.

The verbs are plain commands of click.  Only when help is printed are they shown to rich-click, so
that no other start pays for it.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text
from rich_click import RichCommand, RichContext, RichGroup
from rich_click.rich_help_formatter import RichHelpFormatter
from rich_click.rich_panel import RichCommandPanel, RichPanel

MOST_WIDTH = 100
"""Longer lines are hard to read, however wide the terminal is."""

RAW = "\b"
"""click's mark of a paragraph that keeps its lines: in labctl these are examples."""

LOOK: Mapping[str, Any] = {
    "theme": "default-slim",
    "enable_theme_env_var": False,
    # Readable on light and on dark terminals.
    "style_helptext": "",
    "style_option_default": "",
    "style_metavar": "yellow",
    "max_width": MOST_WIDTH,
    "width": None,
    "text_paragraph_linebreaks": "\n\n",
    "padding_helptext_first_line": (1, 0, 1, 0),
    # Files and pipes get plain text, whatever the environment says.
    "force_terminal": None,
}


def render_help(
    ctx: click.Context, groups: Mapping[str, Mapping[str, str]], *, closing: Sequence[str] = ()
) -> str:
    """The help of a command.

    `groups` are the panels of its own commands, if they are known without loading them: title ->
    name -> what it does.  `closing` are paragraphs for the end.
    """
    prose, examples = split_examples(ctx.command.help or "")
    command = _dressed(ctx.command, prose, groups)
    rich = RichContext(
        command,
        info_name=ctx.info_name,
        parent=ctx.parent,
        help_option_names=ctx.help_option_names,
        rich_help_config=_look(),
    )
    formatter = rich.make_formatter()
    command.format_usage(rich, formatter)
    command.format_help_text(rich, formatter)
    command.format_options(rich, formatter)
    _write_examples(formatter, examples)
    for paragraph in closing:
        formatter.write(Padding(Text(paragraph), (1, 1, 0, 1)))
    # Panels fill their lines with blanks.
    lines = formatter.getvalue().rstrip().splitlines()
    text = "\n".join(line.rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text)


def split_examples(text: str) -> tuple[str, list[str]]:
    """A help text without its examples, and these, line by line."""
    prose, examples = [], []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(RAW):
            examples += paragraph.removeprefix(RAW).strip("\n").splitlines()
        else:
            prose.append(paragraph)
    return "\n\n".join(prose), examples


def _look() -> dict[str, Any]:
    return {**LOOK, "color_system": None if os.environ.get("NO_COLOR") else "auto"}


def _dressed(
    command: click.Command, text: str, groups: Mapping[str, Mapping[str, str]]
) -> RichCommand:
    """A copy of the command that rich-click can show."""
    common: dict[str, Any] = {
        "name": command.name,
        "params": command.params,
        "help": text,
        "context_settings": command.context_settings,
        "options_metavar": command.options_metavar,
    }
    if not isinstance(command, click.Group):
        return RichCommand(**common)
    known = {name: what for verbs in groups.values() for name, what in verbs.items()}
    shown = {
        name: click.Command(name, short_help=what, help=what) for name, what in known.items()
    } or dict(command.commands)
    panels: list[RichPanel[Any, Any]] = [
        RichCommandPanel(title, commands=list(verbs)) for title, verbs in groups.items()
    ]
    return RichGroup(
        **common, commands=shown, panels=panels, subcommand_metavar=command.subcommand_metavar
    )


def _write_examples(formatter: RichHelpFormatter, examples: Sequence[str]) -> None:
    if not examples:
        return
    formatter.write(Padding(Text("Examples"), (1, 0, 0, 1)))
    for line in examples:
        formatter.write(Padding(Text(line), (0, 0, 0, 3)))
