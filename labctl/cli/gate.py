"""`labctl gate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from labctl.cli.bisect import bisect_command
from labctl.cli.ci import tell_ci
from labctl.cli.common import Console, json_option
from labctl.cli.duration import Duration
from labctl.cli.flags import key_options
from labctl.cli.judging import (
    DEFAULT_RUNS,
    config_file,
    config_option,
    drills_option,
    never_blamed,
    parse_drill_names,
)
from labctl.core.errors import UsageError


@click.group("gate", invoke_without_command=True, subcommand_metavar="[bisect ...]")
@click.option("--candidate", metavar="SOURCE", help="The packages to judge.")
@click.option("--baseline", metavar="SOURCE", help="The packages to compare them with.")
@click.option(
    "--runs",
    type=click.IntRange(1, 20),
    metavar="N",
    help="Bring up each side at least N times; 3 with a baseline, else 1.",
)
@click.option("--quick", is_flag=True, help="One run, no slow tests, no drills.")
@drills_option
@click.option(
    "--e2e",
    "suite",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Run the end-to-end suite of this checkout of jitsi-meet, too.",
)
@click.option(
    "--soak",
    type=Duration(),
    metavar="TIME",
    help="Also let calls come and go for so long (30m, 2h) and look for leaks.",
)
@click.option(
    "--allow-stand-ins", "stand_ins", is_flag=True, help="Accept stand-ins; the verdict says so."
)
@click.option("--strict", is_flag=True, help="Treat findings that need attention as failures.")
@click.option(
    "--keep",
    is_flag=True,
    help="Keep the lab of a candidate that failed, so that you can look inside.",
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the report to this folder.",
)
@config_option
@click.option(
    "--side-by-side/--no-side-by-side",
    default=None,
    help="Run both labs at the same time, in two networks; by default, if this machine bears it.",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Measure everything: no interrupted gate is continued, no kept baseline is used.",
)
@key_options(only=("jvbs", "visitors", "network"))
@json_option
@click.pass_context
def gate_command(
    context: click.Context,
    /,
    *,
    candidate: str | None,
    baseline: str | None,
    runs: int | None,
    quick: bool,
    drills: str | None,
    suite: Path | None,
    soak: float | None,
    folder: Path | None,
    as_json: bool,
    config: Path | None,
    stand_ins: bool,
    strict: bool,
    keep: bool,
    side_by_side: bool | None,
    fresh: bool,
    **flags: Any,
) -> int:
    """Say yes or no to a set of packages.

    This builds images, brings up a lab, verifies it, runs drills and removes the lab again.  Every
    package is installed on a bare machine, and with a baseline the candidate is put over it.

    SOURCE is debs:DIR, debs:FILE.deb,FILE.deb (a FILE may be an http address), jitsi:CHANNEL,
    jitsi:VERSIONS-FILE or stand-ins, as for '--packages'.  The labs are 'gate-baseline' and
    'gate-candidate'; they take turns, or run side by side.  The exit status is 0 for pass, 1 for
    fail and 3 if no verdict was possible.  A gate that was interrupted continues where it was if
    the same command is run again.

    \b
    labctl gate --candidate debs:./candidates
    labctl gate --baseline jitsi:stable --candidate debs:./candidates
    labctl gate --baseline jitsi:pins.txt --candidate jitsi:unstable
    labctl gate --candidate jitsi:unstable --drills all
    labctl gate bisect --good debs:./old --bad debs:./new
    labctl gate --candidate debs:./candidates --e2e ~/jitsi-meet
    labctl gate --candidate debs:./candidates --soak 30m
    """  # fmt: skip
    if context.invoked_subcommand is not None:
        return 0
    if candidate is None:
        raise UsageError(
            "'labctl gate' needs the packages to judge.",
            hint="Name them with '--candidate SOURCE'; 'labctl gate --help' shows examples.",
        )
    from labctl.gate import GatePlan, render_text, run_gate

    plan = GatePlan(
        candidate=candidate,
        folder=folder.absolute() if folder else None,
        baseline=baseline,
        runs=1 if quick else runs or (DEFAULT_RUNS if baseline else 1),
        quick=quick,
        drills=parse_drill_names(drills, quick=quick),
        e2e=_want_suite(suite),
        stand_ins=stand_ins,
        strict=strict,
        keep=keep,
        config=config_file(config),
        soak=soak or 0.0,
        flags=flags,
        side_by_side=side_by_side,
        fresh=fresh,
    )
    with never_blamed():
        done = run_gate(plan, progress=Console())
    gate = done.gate
    click.echo(
        json.dumps(gate.to_json(), indent=2) if as_json else render_text(gate, folder=done.folder)
    )
    tell_ci(gate)
    return gate.word.exit_code


def _want_suite(folder: Path | None) -> Path | None:
    """The suite's folder; whether it can be run is asked before an hour has passed.

    Errors: LabError if the suite, its packages or its programs are missing."""
    if folder is None:
        return None
    from labctl.e2e.needs import want_programs
    from labctl.e2e.suite import find_suite

    want_programs(find_suite(folder))
    return folder.absolute()


gate_command.add_command(bisect_command)
