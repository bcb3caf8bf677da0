"""`labctl status`, `logs` and `doctor`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import json_option, lab_option, progress_shown, workdir_of


@click.command("status")
@lab_option
@json_option
def status_command(lab: str | None, *, as_json: bool) -> int:
    """Show nodes, units, bridges, vnodes and packages; exit status 1 when something is missing.

    \b
    labctl status
    labctl status --json | jq .bridges
    """
    from labctl.lab.status import read_status, render_status

    status = read_status(workdir_of(lab))
    click.echo(json.dumps(status, indent=2) if as_json else render_status(status))
    return 0 if status["healthy"] else 1


@click.command("logs")
@click.argument("node", required=False)
@lab_option
def logs_command(node: str | None, lab: str | None) -> None:
    """Print what a node logged; without NODE, bring the logs of all nodes here.

    \b
    labctl logs jms | grep 'Redirecting to'
    labctl logs
    """
    from labctl.cli.nodes import check_node
    from labctl.lab.collect import collect_logs, node_log

    workdir = workdir_of(lab)
    topology = workdir.load_topology()
    if node is None:
        with progress_shown() as progress:
            folder = collect_logs(workdir, topology, progress=progress)
        click.echo(folder)
        return
    check_node(workdir, node)
    click.echo(node_log(workdir, topology.node(node)), nl=False)


@click.command("doctor")
@click.option("--provider", default="docker", show_default=True, metavar="NAME")
@click.option("--network", default="192.168.56.0/24", show_default=True, metavar="CIDR")
@click.option("--fix", is_flag=True, help="Install and start what is missing, then look again.")
@json_option
def doctor_command(*, provider: str, network: str, fix: bool, as_json: bool) -> int:
    """Look whether this machine can hold a lab; exit status 1 when it cannot.

    \b
    labctl doctor
    labctl doctor --fix
    labctl doctor --provider auto
    """
    from labctl.capabilities import is_settled
    from labctl.choice import choose_provider
    from labctl.lab.machines import ensure_provider
    from labctl.spec import load_spec

    spec, _ = load_spec(None, {"provider": provider, "network": network})
    chosen = spec.provider
    with progress_shown() as progress:
        if not is_settled(chosen):
            chosen = choose_provider(progress=progress)
        if fix:
            ensure_provider(chosen, progress=progress)
    from dataclasses import asdict

    from labctl.checks import render_checks
    from labctl.doctor import examine

    checks = examine(chosen, spec.network)
    click.echo(
        json.dumps([asdict(check) for check in checks], indent=2)
        if as_json
        else render_checks(checks)
    )
    return 1 if any(check.status == "fail" for check in checks) else 0
