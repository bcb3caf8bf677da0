"""`labctl config show` and `config explain`."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from labctl.cli.common import json_option
from labctl.cli.told import ValueTold, tell
from labctl.cli.up import load_wish, spec_options
from labctl.spec.explain import (
    KeyFacts,
    KeyValue,
    all_keys,
    explain_key,
    resolved_values,
    value_text,
)
from labctl.spec.origin import Source


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(each.key, help=each.help)
        for each in all_keys()
        if each.key.startswith(incomplete)
    ]


@click.group("config")
def config_command() -> None:
    """Show what lab.conf and flags come to, and what its keys mean.

    \b
    labctl config show
    labctl config show --jvbs 4 --json
    labctl config explain visitors.count
    """


@config_command.command("show")
@spec_options
@click.option("--changed", is_flag=True, help="Only keys that do not have their default.")
@json_option
def show_command(*, changed: bool, as_json: bool, **options: Any) -> None:
    """Show the value of every key, and where it comes from.

    A value comes from a flag, from a line of lab.conf, from the lab's last run (if there is no
    lab.conf), or is the default.  Nothing is started.

    \b
    labctl config show
    labctl config show --changed
    labctl config show --config course.conf --json | jq .jvbs
    """
    wish = load_wish(options)
    values = [
        each
        for each in resolved_values(wish.spec, wish.origins)
        if not changed or each.origin.source is not Source.DEFAULT
    ]
    if as_json:
        tell({each.key: _told(each) for each in values})
        return
    rows = [(each.key, value_text(each.value) or "-", str(each.origin)) for each in values]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for key, value, origin in rows:
        click.echo(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


@config_command.command("explain")
@click.argument("key", required=False, shell_complete=_complete)
@json_option
def explain_command(key: str | None, *, as_json: bool) -> None:
    """Describe a key of lab.conf; without KEY, list all keys.

    \b
    labctl config explain
    labctl config explain network
    labctl config explain roles.jvb.memory --json
    """
    if key is None:
        _list_keys(as_json=as_json)
        return
    facts = explain_key(key)
    if as_json:
        tell(facts)
    else:
        click.echo(_render(facts))


def _told(value: KeyValue) -> ValueTold:
    origin = value.origin
    return ValueTold(value.value, str(origin.source), origin.flag, origin.file, origin.line)


def _list_keys(*, as_json: bool) -> None:
    known = all_keys()
    if as_json:
        tell(known)
        return
    width = max(len(each.key) for each in known)
    for each in known:
        click.echo(f"{each.key:<{width}}  {each.help}")


def _render(facts: KeyFacts) -> str:
    rows = {
        "what": facts.help,
        "values": facts.bounds,
        "default": facts.default,
        "flag": f"{facts.flag} {facts.metavar}".strip(),
        "short": f"{facts.short} = ..." if facts.short else "",
    }
    lines = [f"  {name:<8} {text}" for name, text in rows.items() if text]
    return "\n".join([facts.key, *lines])
