"""`labctl contract`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import Console, json_option, lab_option, workdir_of


@click.command("contract")
@lab_option
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Only this package.")
@click.option("--pairs", is_flag=True, help="Which stand-in has met which original; no lab.")
@json_option
def contract_command(
    lab: str | None, *, packages: tuple[str, ...], pairs: bool, as_json: bool
) -> int:
    """Check the lab's packages, real or stand-in, against the table of what they show.

    Files, users, units, REST, log lines, stanzas and exit statuses, each with its source.  Exit
    status 1 when something differs.

    \b
    labctl contract
    labctl contract --package jicofo
    labctl contract --pairs
    """
    from labctl.contract.table import load_table

    if pairs:
        return _show_pairs(as_json=as_json)
    from labctl.contract.check import check_lab
    from labctl.contract.report import contract_data, render_contract
    from labctl.errors import UsageError
    from labctl.ssh import ensure_config

    entries = load_table()
    known = sorted({entry.package for entry in entries})
    for package in packages:
        if package not in known:
            raise UsageError(
                f"There is no contract for '{package}'.", hint=f"Known: {', '.join(known)}."
            )
    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    ensure_config(workdir, topology)
    wanted = [entry for entry in entries if not packages or entry.package in packages]
    checked = check_lab(workdir, topology, wanted, progress=Console())
    if as_json:
        click.echo(json.dumps(contract_data(checked, lab=topology.lab), indent=2))
    else:
        click.echo(render_contract(checked))
    return 1 if checked.broken else 0


def _show_pairs(*, as_json: bool) -> int:
    from dataclasses import asdict

    from labctl.contract.pairs import load_pairs, render_pairs

    found = load_pairs()
    click.echo(
        json.dumps([asdict(pair) for pair in found], indent=2) if as_json else render_pairs(found)
    )
    return 0
