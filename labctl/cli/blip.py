"""`labctl blip`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import Console, json_option, lab_option, load_lab
from labctl.cli.signals import ended_in_order
from labctl.topology.lock import locked


@click.command("blip")
@lab_option
@click.option("--participants", type=click.IntRange(2, 2000), default=12, show_default=True,
              metavar="N", help="How many are in calls, all together.")  # fmt: skip
@click.option("--calls", type=click.IntRange(1, 500), default=4, show_default=True,
              metavar="N", help="How many calls they are in.")  # fmt: skip
@click.option(
    "--kill", is_flag=True, help="Use SIGKILL, so that bridges end without saying goodbye."
)
@json_option
def blip_command(
    lab_name: str | None, *, participants: int, calls: int, kill: bool, as_json: bool
) -> int:
    """Stop the bridges one after another under a running crowd.

    Each bridge is started again before the next one is stopped.  The result says what share of
    the participants was interrupted, and for how long.  The exit status is 0 if everybody was
    in a call again each time.

    \b
    labctl blip
    labctl blip --participants 60 --calls 10 --kill
    """
    from labctl.core.errors import UsageError
    from labctl.drills import ensure_healthy, undo_left
    from labctl.drills.blip import record_blip, render_blip, run_blip

    if participants < 2 * calls:
        raise UsageError(
            f"{participants} participants cannot be in {calls} calls of two or more.",
            hint="Jicofo invites two or more: use at least twice as many participants as calls.",
        )
    lab = load_lab(lab_name)
    console = Console()
    with locked(lab.folder, what="blip"), ended_in_order():
        undo_left(lab, progress=console)
        ensure_healthy(lab, progress=console)
        blip = run_blip(
            lab,
            people=participants,
            calls=calls,
            kill=kill,
            progress=console,
        )
    click.echo(json.dumps(record_blip(blip).to_json(), indent=2) if as_json else render_blip(blip))
    return 0 if blip.good else 1
