"""`labctl drift`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import json_option, lab_option, workdir_of


@click.command("drift")
@lab_option
@click.option("--all", "show_all", is_flag=True, help="Show the differences that are meant, too.")
@json_option
def drift_command(lab: str | None, *, show_all: bool, as_json: bool) -> int:
    """Compare the packages' own configuration with labctl's, by meaning.

    Exit status 1 when there is a difference that nobody has judged: a package whose defaults
    have changed, or a mistake of labctl's.

    \b
    labctl drift
    labctl drift --all
    labctl drift --json | jq '.unknown[] | .area, .name'
    """
    from labctl.drift.intended import load_intended
    from labctl.drift.read import read_all
    from labctl.drift.report import judge, render_drift
    from labctl.ssh import ensure_config

    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    ensure_config(workdir, topology)
    drift = judge(read_all(workdir, topology), load_intended())
    if as_json:
        click.echo(json.dumps({"lab": topology.lab, **drift}, indent=2))
    else:
        click.echo(render_drift(drift, show_all=show_all))
    return 1 if drift["unknown"] else 0
