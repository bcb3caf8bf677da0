"""`labctl man`."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.core.errors import UsageError
from labctl.core.files import write_file


@click.command("man")
@click.argument("verb", nargs=-1)
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the pages of labctl and of all verbs to this folder.",
)
@click.pass_context
def man_command(context: click.Context, /, *, verb: tuple[str, ...], folder: Path | None) -> None:
    """Print the man page of labctl, or of a verb.

    \b
    labctl man | man -l -
    labctl man drill run | man -l -
    labctl man --write ~/.local/share/man/man1
    """
    from labctl.cli.manpage import all_paths, page_name, render_page

    root = context.find_root().command
    assert isinstance(root, click.Group)
    if folder is None:
        click.echo(render_page(_context(root, verb), verb), nl=False)
        return
    for path in all_paths(root):
        write_file(folder / f"{page_name(path)}.1", render_page(_context(root, path), path))
    click.echo(folder)


def _context(root: click.Group, path: tuple[str, ...]) -> click.Context:
    """The context of the verb at a path.  Errors: UsageError if there is none."""
    context = click.Context(root, info_name="labctl", **root.context_settings)
    for name in path:
        group = context.command
        inner = group.get_command(context, name) if isinstance(group, click.Group) else None
        if inner is None:
            raise UsageError(
                f"There is no verb '{' '.join(path)}'.", hint="'labctl --help' lists the verbs."
            )
        context = click.Context(inner, info_name=name, parent=context)
    return context
