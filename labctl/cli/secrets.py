"""`labctl secrets`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from labctl.cli.common import json_option, lab_option, load_lab, progress_shown, summary_line
from labctl.cli.told import tell
from labctl.topology.lock import locked

if TYPE_CHECKING:
    from labctl.lab.rotation import Rotation
    from labctl.lab.secretuses import SecretFacts
    from labctl.topology.lab import Lab

DAY, HOUR, MINUTE = 86400, 3600, 60


@click.group("secrets")
def secrets_command() -> None:
    """Show which secrets the lab has, and replace them.

    \b
    labctl secrets list
    labctl secrets rotate --dry-run
    labctl secrets rotate
    """


@secrets_command.command("list")
@lab_option
@json_option
def list_command(lab_name: str | None, *, as_json: bool) -> None:
    """Show every secret: what it is, how old it is, and where it is used.  Values are never shown.

    \b
    labctl secrets list
    labctl secrets list --json
    """
    facts = _read(load_lab(lab_name))
    if as_json:
        tell(facts)
        return
    click.echo(f"{'NAME':<24} {'AGE':>6}  {'FILES':>5}  WHAT")
    for one in facts:
        files = str(len(one.uses)) if one.rotates else "-"
        click.echo(f"{one.name:<24} {_age(one.age):>6}  {files:>5}  {one.what}")
    click.echo("\n'labctl secrets rotate' replaces those with a number of files; 'secrets rotate")
    click.echo("--dry-run' names the files, '--json' also says what renews the private keys.")


@secrets_command.command("rotate")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and change nothing.")
@lab_option
@json_option
def rotate_command(
    names: tuple[str, ...], lab_name: str | None, *, dry_run: bool, as_json: bool
) -> None:
    """Replace secrets by new ones while calls go on: all of them, or those named.

    Prosody is not restarted.  A bridge is restarted when its calls have moved to another one, so a
    lab with one bridge interrupts them.  Calls through TURN are interrupted, too.  If this is
    interrupted, run the same command again to continue; 'labctl up' also completes it.

    \b
    labctl secrets rotate
    labctl secrets rotate jvb turn
    labctl secrets rotate --dry-run
    """
    lab = load_lab(lab_name)
    if dry_run:
        _show_plan(lab, names, as_json=as_json)
        return
    with locked(lab.folder, what="secrets rotate"), progress_shown() as progress:
        from labctl.lab.rotation import rotate

        done = rotate(lab, names, progress=progress)
    if as_json:
        tell(done)
    else:
        _show(done)


def _read(lab: Lab) -> tuple[SecretFacts, ...]:
    from labctl.lab.secretuses import list_secrets
    from labctl.render.secrets import load_secrets

    return list_secrets(lab, load_secrets(lab.folder))


def _show_plan(lab: Lab, names: tuple[str, ...], *, as_json: bool) -> None:
    from labctl.lab.secretuses import secret_names
    from labctl.render.secrets import load_secrets

    wanted = secret_names(load_secrets(lab.folder), names)
    facts = [one for one in _read(lab) if one.name in wanted]
    if as_json:
        tell(facts)
        return
    for one in facts:
        click.echo(f"{one.name}: {one.what}")
        for use in one.uses:
            click.echo(f"  {use.node:<12} {use.path}{_read_by(use.units)}")
    click.echo("Nothing was changed.")


def _read_by(units: Iterable[str]) -> str:
    names = ", ".join(units)
    return f" ({names})" if names else ""


def _show(done: Rotation) -> None:
    click.echo(f"Lab '{done.lab}' has new secrets: {', '.join(done.replaced)}.")
    if done.continued:
        click.echo(summary_line("continued", ", ".join(done.continued)))
    if not done.applied:
        click.echo(summary_line("nodes", "there are none; the next 'labctl up' uses the new ones"))
        return
    for name, units in (("restarted", done.restarted), ("reloaded", done.reloaded)):
        for node, those in (units or {}).items():
            click.echo(summary_line(name, f"{node}: {', '.join(those)}"))
    for node, why in (done.hasty or {}).items():
        click.echo(summary_line("calls", f"{node}: were interrupted, because {why}"))
    click.echo(summary_line("old ones", "are in no file of any node"))
    click.echo(summary_line("time", f"{done.seconds:.0f} s"))


def _age(seconds: int) -> str:
    """The age in its largest unit."""
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
