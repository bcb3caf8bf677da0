"""`labctl drill list` and `drill run`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from labctl.cli.common import Console, json_option, lab_option, workdir_of
from labctl.cli.signals import ended_in_order
from labctl.errors import LabError
from labctl.workdir import locked, write_json


@click.group("drill")
def drill_command() -> None:
    """Break the lab on purpose, and see whether it heals as upstream does today.

    \b
    labctl drill list
    labctl drill run
    labctl drill run bridge-kill bridge-hang
    labctl drill run all --json drills.json
    """


@drill_command.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """Name all drills, with upstream's weaknesses of today."""
    from labctl.drills import DRILLS, render_drill
    from labctl.drills.result import drill_to_json

    if as_json:
        click.echo(json.dumps([drill_to_json(drill) for drill in DRILLS], indent=2))
        return
    for drill in DRILLS:
        click.echo(render_drill(drill))


@drill_command.command("run")
@click.argument("names", nargs=-1, metavar="[NAME...|all]")
@lab_option
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    metavar="FILE",
    help="Write the results as JSON; '-' is standard output.",
)
def run_command(names: tuple[str, ...], lab: str | None, *, json_file: Path | None) -> int:
    """Run drills one after another; without NAME the failover check of the how-to.

    The exit status is 0 when every drill came out as expected or better, else 1.  Whatever
    happens, also after Ctrl-C, the fault is undone; should labctl itself be killed, the next
    'labctl drill' or 'labctl up' undoes it.  The next 'labctl verify --report' takes the results
    in.

    \b
    labctl drill run
    labctl drill run vnode-stop s2s-cut
    labctl drill run all --json -
    """
    from labctl.drills import (
        ensure_healthy,
        render_result,
        result_to_json,
        run_drill,
        undo_left,
        want_drills,
    )

    drills = want_drills(names)
    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    console = Console()
    results: list[dict[str, Any]] = []
    to_stdout = json_file is not None and str(json_file) == "-"
    with locked(workdir, what="drill"), ended_in_order():
        undo_left(workdir, topology, progress=console)
        ensure_healthy(workdir, topology, progress=console)
        for drill in drills:
            console("drill", f"{drill.title}: {drill.fault}")
            result = run_drill(drill, workdir=workdir, topology=topology, progress=console)
            results.append(result_to_json(result))
            click.echo(render_result(result), err=to_stdout)
            sys.stdout.flush()
            write_json(workdir.path / "drills.json", results)
            if json_file is not None and not to_stdout:
                write_json(json_file, results)
            if result.left:
                raise LabError(
                    f"After drill '{drill.name}' lab '{workdir.lab}' is not healthy: {result.left}",
                    hint="Run 'labctl up', then the remaining drills.",
                )
    if to_stdout:
        click.echo(json.dumps(results, indent=2))
    good = sum(each["verdict"] not in ("worse",) for each in results)
    click.echo(f"{good} of {len(results)} drills as expected, better or skipped.", err=to_stdout)
    return 0 if good == len(results) else 1
