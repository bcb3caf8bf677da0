"""`labctl gate bisect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from labctl.cli.common import Console, json_option
from labctl.cli.flags import key_options
from labctl.cli.judging import (
    DEFAULT_RUNS,
    config_file,
    config_option,
    drills_option,
    never_blamed,
    parse_drill_names,
)


@click.command("bisect")
@click.option("--good", metavar="SOURCE", help="The packages that are good.")
@click.option("--bad", metavar="SOURCE", help="The packages that are bad.")
@click.option(
    "--versions",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A folder of versions: find the first bad one.",
)
@click.option("--quick", is_flag=True, help="No slow tests, no drills; timings are not judged.")
@drills_option
@click.option(
    "--allow-stand-ins", "stand_ins", is_flag=True, help="Accept stand-ins; the result says so."
)
@click.option("--strict", is_flag=True, help="Search for findings that need attention, too.")
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the result and the report of each trial to this folder.",
)
@config_option
@click.option(
    "--side-by-side/--no-side-by-side",
    default=None,
    help="Run both labs of a trial at the same time; by default, if this machine bears it.",
)
@click.option("--fresh", is_flag=True, help="Forget the trials of an earlier run.")
@key_options(only=("jvbs", "visitors", "network"))
@json_option
def bisect_command(
    *,
    good: str | None,
    bad: str | None,
    versions: Path | None,
    quick: bool,
    drills: str | None,
    stand_ins: bool,
    strict: bool,
    folder: Path | None,
    config: Path | None,
    side_by_side: bool | None,
    fresh: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Find the package that makes a set bad, or the first bad version.

    With '--good' and '--bad', which are sets of .deb files, one package of the good set is
    exchanged at a time.  If none is bad by itself, those that are bad only together are found.
    Combinations that cannot be installed are named and skipped.

    With '--versions', DIR holds a folder for each version, or all versions of one package.  They
    are put over the '--good' set; without one the oldest version is the good one.

    Each trial is a gate against the good set, whose result is kept.  If the same command is run
    again after an interruption, it continues.  The exit status is 0 if the answer was found, 1 if
    the bad set is not bad, and 3 if that could not be judged.

    \b
    labctl gate bisect --good debs:./august --bad debs:./november
    labctl gate bisect --good debs:./august --versions ./nightly --quick
    """
    from labctl.gate.bisect import BisectPlan, bisect
    from labctl.gate.bisectreport import render_bisect
    from labctl.gate.run import GatePlan

    gate = GatePlan(
        candidate="",
        runs=1 if quick else DEFAULT_RUNS,
        quick=quick,
        drills=parse_drill_names(drills, quick=quick),
        stand_ins=stand_ins,
        strict=strict,
        config=config_file(config),
        flags=flags,
        side_by_side=side_by_side,
    )
    plan = BisectPlan(gate, good=good, bad=bad, versions=versions, folder=folder, fresh=fresh)
    with never_blamed():
        result = bisect(plan, progress=Console())
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else render_bisect(result))
    return result.answer.exit_code
