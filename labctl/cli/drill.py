"""`labctl drill list` and `drill run`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.common import Console, json_option, lab_option, load_lab
from labctl.cli.complete import complete_drills
from labctl.cli.signals import ended_in_order
from labctl.cli.told import DrillTold, tell
from labctl.core.errors import LabError
from labctl.core.files import write_json
from labctl.topology.lock import locked

if TYPE_CHECKING:
    from labctl.report.drill import DrillRecord


@click.group("drill")
def drill_command() -> None:
    """Break the lab on purpose and check whether it heals.

    A drill expects what upstream's packages do today.

    \b
    labctl drill list
    labctl drill run
    labctl drill run bridge-kill bridge-hang
    labctl drill run all --json drills.json
    """


@drill_command.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """List all drills, with the weaknesses that upstream has today.

    \b
    labctl drill list
    labctl drill list --json
    """
    from labctl.drills import DRILLS, render_drill
    from labctl.drills.result import drill_to_json

    if as_json:
        tell([DrillTold(**drill_to_json(drill)) for drill in DRILLS])
        return
    for drill in DRILLS:
        click.echo(render_drill(drill))


@drill_command.command("run")
@click.argument("names", nargs=-1, metavar="[NAME...|all]", shell_complete=complete_drills)
@lab_option
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    metavar="FILE",
    help="Write the results as JSON; '-' is standard output.",
)
def run_command(names: tuple[str, ...], lab_name: str | None, *, json_file: Path | None) -> int:
    """Run drills one after another; without NAME, run the failover check of the how-to.

    The exit status is 0 if every drill came out as expected or better, else 1.  The fault is
    always undone, even after Ctrl-C; if labctl itself is killed, the next 'labctl drill' or
    'labctl up' undoes it.  The next 'labctl verify --report' includes the results.

    \b
    labctl drill run
    labctl drill run vnode-stop s2s-cut
    labctl drill run all --json -
    """
    from labctl.drills import (
        ensure_healthy,
        record_of,
        render_result,
        run_drill,
        undo_left,
        want_drills,
    )
    from labctl.report.drill import DrillVerdict, drills_to_json

    drills = want_drills(names)
    lab = load_lab(lab_name)
    console = Console()
    results: list[DrillRecord] = []
    to_stdout = json_file is not None and str(json_file) == "-"
    with locked(lab.folder, what="drill"), ended_in_order():
        undo_left(lab, progress=console)
        ensure_healthy(lab, progress=console)
        for drill in drills:
            console("drill", f"{drill.title}: {drill.fault}")
            result = run_drill(drill, lab, progress=console)
            results.append(record_of(result))
            click.echo(render_result(result), err=to_stdout)
            sys.stdout.flush()
            write_json(lab.folder.path / "drills.json", drills_to_json(results))
            if json_file is not None and not to_stdout:
                write_json(json_file, drills_to_json(results))
            if result.left:
                where = f"lab '{lab.topology.lab}'"
                raise LabError(
                    f"After drill '{drill.name}' {where} is not healthy: {result.left}",
                    hint="Run 'labctl up', then run the remaining drills.",
                )
    if to_stdout:
        click.echo(json.dumps(drills_to_json(results), indent=2))
    good = sum(each.verdict is not DrillVerdict.WORSE for each in results)
    click.echo(f"{good} of {len(results)} drills as expected, better or skipped.", err=to_stdout)
    return 0 if good == len(results) else 1
