"""`labctl contract`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import Console, json_option, lab_option, load_lab
from labctl.cli.told import tell


@click.command("contract")
@lab_option
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Only this package.")
@click.option("--pairs", is_flag=True, help="Show which stand-ins ran with which originals.")
@json_option
def contract_command(
    lab_name: str | None, *, packages: tuple[str, ...], pairs: bool, as_json: bool
) -> int:
    """Check whether the packages do what their originals do.

    The lab's packages, real or stand-in, are compared with tables of what the originals do: files,
    users, units, REST, log lines, stanzas and exit statuses, each with its source.  The exit
    status is 1 if something differs.

    \b
    labctl contract
    labctl contract --package jicofo
    labctl contract --pairs
    """
    from labctl.contract.table import load_table

    if pairs:
        return _show_pairs(as_json=as_json)
    from labctl.contract.check import check_lab
    from labctl.contract.report import record_check, render_contract
    from labctl.core.errors import UsageError
    from labctl.node.ssh import ensure_config

    entries = load_table()
    known = sorted({entry.package for entry in entries})
    for package in packages:
        if package not in known:
            raise UsageError(
                f"There is no contract for '{package}'.", hint=f"Known: {', '.join(known)}."
            )
    lab = load_lab(lab_name)
    ensure_config(lab)
    wanted = [entry for entry in entries if not packages or entry.package in packages]
    checked = check_lab(lab, wanted, progress=Console())
    if as_json:
        click.echo(json.dumps(record_check(checked, lab=lab.topology.lab).to_json(), indent=2))
    else:
        click.echo(render_contract(checked))
    return 1 if checked.broken else 0


def _show_pairs(*, as_json: bool) -> int:
    from labctl.contract.pairs import load_pairs, render_pairs

    found = load_pairs()
    if as_json:
        tell(found)
    else:
        click.echo(render_pairs(found))
    return 0
