"""`labctl blip`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import Console, json_option, lab_option, workdir_of
from labctl.cli.signals import ended_in_order
from labctl.workdir import locked


@click.command("blip")
@lab_option
@click.option("--participants", type=click.IntRange(2, 2000), default=12, show_default=True)
@click.option("--calls", type=click.IntRange(1, 500), default=4, show_default=True)
@click.option("--kill", is_flag=True, help="SIGKILL instead of stop: nobody says goodbye.")
@json_option
def blip_command(
    lab: str | None, *, participants: int, calls: int, kill: bool, as_json: bool
) -> int:
    """Take the bridges away one after another under a running crowd, and bring each back.

    Says which share of the participants was interrupted, and for how long.  The exit status is 0
    when everybody was in a call again each time.

    \b
    labctl blip
    labctl blip --participants 60 --calls 10 --kill
    """
    from labctl.drills import ensure_healthy, undo_left
    from labctl.drills.blip import blip_to_json, render_blip, run_blip
    from labctl.errors import UsageError

    if participants < 2 * calls:
        raise UsageError(
            f"{participants} participants cannot be in {calls} calls of two or more.",
            hint="Jicofo invites from two on: at least twice as many participants as calls.",
        )
    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    console = Console()
    with locked(workdir, what="blip"), ended_in_order():
        undo_left(workdir, topology, progress=console)
        ensure_healthy(workdir, topology, progress=console)
        blip = run_blip(
            workdir,
            topology,
            people=participants,
            calls=calls,
            kill=kill,
            progress=console,
        )
    click.echo(json.dumps(blip_to_json(blip), indent=2) if as_json else render_blip(blip))
    return 0 if blip.good else 1
