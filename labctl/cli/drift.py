"""`labctl drift`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import json_option, lab_option, load_lab


@click.command("drift")
@lab_option
@click.option("--all", "show_all", is_flag=True, help="Also show intended differences.")
@json_option
def drift_command(lab_name: str | None, *, show_all: bool, as_json: bool) -> int:
    """Compare the packages' own configuration with labctl's.

    Settings are compared by meaning, not line by line.

    The exit status is 1 if there is a difference that nobody has reviewed (a package whose
    defaults have changed, or a mistake of labctl's), or an area that could not be compared.

    \b
    labctl drift
    labctl drift --all
    labctl drift --json | jq '.unknown[] | .area, .name'
    """
    from labctl.drift.measure import measure_drift
    from labctl.drift.report import render_drift

    drift = measure_drift(load_lab(lab_name))
    if as_json:
        click.echo(json.dumps(drift.to_json(), indent=2))
    else:
        click.echo(render_drift(drift, show_all=show_all))
    return 1 if drift.unknown or drift.not_compared else 0
