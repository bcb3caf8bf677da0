"""The reference pages of docs/, as Markdown made from the verbs and tables themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from labctl.cli.main import VERBS, VerbGroup, cli
from labctl.cli.richhelp import split_examples
from labctl.core.exits import MEANINGS, OTHERS
from labctl.core.findings import Finding

if TYPE_CHECKING:
    from labctl.drills.model import Drill


def render_verbs() -> str:
    """Every verb below its heading: what it does, examples, arguments and options."""
    parts = []
    root = click.Context(cli, info_name="labctl")
    for group in VerbGroup:
        names = [name for name, verb in VERBS.items() if verb.group is group]
        if names:
            parts.append(f"## {group}")
        for name in names:
            command = cli.get_command(root, name)
            assert command is not None
            parts += _verb(command, click.Context(command, info_name=name, parent=root))
    return "\n\n".join(parts)


def _verb(command: click.Command, context: click.Context) -> Iterator[str]:
    """The sections of a verb and of those below it."""
    prose, examples = split_examples(command.help or "")
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    yield f"### {context.command_path}"
    yield f"`{usage}`"
    yield prose
    if examples:
        yield "\n".join(f"    {line}" for line in examples)
    rows = [_row(option, context) for option in command.get_params(context)]
    yield "\n".join(["| option | what it does |", "|---|---|", *filter(None, rows)])
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _verb(inner, click.Context(inner, info_name=name, parent=context))


def _row(option: click.Parameter, context: click.Context) -> str:
    if not isinstance(option, click.Option):
        return ""
    record = option.get_help_record(context)
    if record is None:
        return ""
    names, what = (_cell(text) for text in record)
    return f"| `{names}` | {what} |"


def _cell(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def render_drills() -> str:
    """Every drill: its fault and undo, what upstream does today, and the weakness in that."""
    from labctl.drills import DRILLS

    return "\n\n".join(f"## {drill.name}\n\n{drill.title}.\n\n{_facts(drill)}" for drill in DRILLS)


def _facts(drill: Drill) -> str:
    return _list(
        {
            "fault": drill.fault,
            "undone": drill.undone,
            "watched": drill.watched,
            "what upstream does": drill.upstream,
            "weakness": drill.weakness or "",
            "needs": ", ".join(drill.needs),
            "budget": f"{drill.budget:g} s",
        }
    )


def _list(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}**: {_cell(what)}" for name, what in facts.items() if what)


def render_exits() -> str:
    """The exit statuses with their meanings."""
    rows = [f"| {int(code)} | {words} |" for code, words in MEANINGS.items()]
    return "\n".join(["| status | meaning |", "|---|---|", *rows, "", OTHERS])


def render_findings() -> str:
    """What `labctl doctor` can find, why it matters, and the section that has the cure."""
    rows = [f"| [{each}](../troubleshooting.md#{each}) | {_cell(each.why)} |" for each in Finding]
    return "\n".join(["| finding | why it matters |", "|---|---|", *rows])


PAGES: Mapping[str, Callable[[], str]] = {
    "verbs": render_verbs,
    "drills": render_drills,
    "exit-statuses": render_exits,
    "findings": render_findings,
}
"""What a mark in a page of docs/ is replaced by when the site is made."""
