"""`labctl completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_LABCTL_COMPLETE"
"""What click's scripts set when they ask for names; it follows from the program's name."""


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(context: click.Context, /, *, shell: str) -> None:
    """Print the script that lets a shell complete verbs, options, labs, nodes and drills.

    'labctl' must be in the PATH: link to bin/labctl, or install the package.

    \b
    labctl completion bash > ~/.local/share/bash-completion/completions/labctl
    labctl completion zsh > ~/.zfunc/_labctl
    labctl completion fish > ~/.config/fish/completions/labctl.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    click.echo(kind(context.find_root().command, {}, "labctl", VARIABLE).source())
