"""Options that every verb has without declaring them."""

from __future__ import annotations

import click


def verbose_option() -> click.Option:
    """`-v`: print every program that is run, as a line to paste into a shell."""
    return click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_announce,
        help="Print each program that is run, as a line to paste into a shell.",
    )


def _announce(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    if given and not context.resilient_parsing:
        from labctl.core.process import announce_programs

        # Programs may be started by threads, which have no context.
        color = context.color
        announce_programs(lambda line: click.secho(f"$ {line}", dim=True, err=True, color=color))


def add_verbose(command: click.Command) -> None:
    """Give a verb `-v`, unless it has one or passes what it does not know to another program."""
    passes_on = command.context_settings.get("ignore_unknown_options", False)
    taken = {name for parameter in command.params for name in parameter.opts}
    if not passes_on and not taken & {"-v", "--verbose"}:
        command.params.append(verbose_option())
