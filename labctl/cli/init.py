"""`labctl init`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from labctl.cli.common import json_option
from labctl.cli.told import InitTold, tell
from labctl.core.errors import UsageError
from labctl.core.files import write_file
from labctl.spec.starters import STARTERS, find_starter, render_starter

CONFIG = Path("lab.conf")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(each.name, help=each.what)
        for each in STARTERS
        if each.name.startswith(incomplete)
    ]


@click.command("init")
@click.option(
    "--template",
    "name",
    default=STARTERS[0].name,
    show_default=True,
    metavar="NAME",
    shell_complete=_complete,
    help="What the lab is for; '--list' shows all templates.",
)
@click.option(
    "--output",
    "path",
    default=CONFIG,
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@click.option("--list", "only_list", is_flag=True, help="List the templates, and write nothing.")
@json_option
def init_command(*, name: str, path: Path, force: bool, only_list: bool, as_json: bool) -> None:
    """Write a commented lab.conf to begin with.

    It has the keys of the template, and all other keys with their defaults as comments.  A file
    that exists is kept, unless '--force' is given.

    \b
    labctl init
    labctl init --list
    labctl init --template auth-jwt
    labctl init --template ten-vnodes --output course.conf
    """
    if only_list:
        _list(as_json=as_json)
        return
    starter = find_starter(name)
    if path.exists() and not force:
        raise UsageError(
            f"'{path}' exists already.", hint="Use '--force' to overwrite it, or '--output FILE'."
        )
    write_file(path, render_starter(starter))
    if as_json:
        tell(InitTold(starter.name, str(path), starter.settings))
        return
    click.echo(path)
    named = "" if path == CONFIG else f" --config {path}"
    click.echo(f"Next: labctl config show{named} | labctl up{named}", err=True)


def _list(*, as_json: bool) -> None:
    if as_json:
        tell(STARTERS)
        return
    for each in STARTERS:
        click.echo(f"{each.name:<14} {each.what}")
