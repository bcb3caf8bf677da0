"""`labctl status` and `logs`."""

from __future__ import annotations

import json

import click

from labctl.cli.common import json_option, lab_option, load_lab, progress_shown
from labctl.cli.complete import complete_nodes
from labctl.cli.told import LogsTold, NodeLogTold, tell


@click.command("status")
@lab_option
@json_option
def status_command(lab_name: str | None, *, as_json: bool) -> int:
    """Show nodes, units, bridges, visitor Prosodies and packages.

    The exit status is 1 if something is missing.

    \b
    labctl status
    labctl status --json | jq .bridges
    """
    from labctl.lab.status import read_status, render_status

    lab = load_lab(lab_name)
    with progress_shown() as progress:
        status = read_status(lab, progress=progress)
    click.echo(json.dumps(status.to_json(), indent=2) if as_json else render_status(status))
    return 0 if status.healthy else 1


@click.command("logs")
@click.argument("node", required=False, shell_complete=complete_nodes)
@lab_option
@json_option
def logs_command(node: str | None, lab_name: str | None, *, as_json: bool) -> None:
    """Show what nodes have logged.

    With NODE, print that node's logs; without it, copy the logs of all nodes to a folder.

    \b
    labctl logs jms | grep 'Redirecting to'
    labctl logs
    labctl logs jvb1 --json | jq -r '.sections."/var/log/jitsi/jvb.log"'
    """
    from labctl.cli.nodes import check_node
    from labctl.lab.collect import collect_logs, node_log
    from labctl.node.sections import parse_sections

    lab = load_lab(lab_name)
    if node is None:
        with progress_shown() as progress:
            folder = collect_logs(lab, progress=progress)
        files = {path.stem: str(path) for path in sorted(folder.glob("*.log"))}
        if as_json:
            tell(LogsTold(lab.topology.lab, str(folder), files))
        else:
            click.echo(folder)
        return
    check_node(lab, node)
    text = node_log(lab, node)
    if as_json:
        sections = parse_sections(text).texts
        problem = "" if sections else text.strip()
        tell(NodeLogTold(lab.topology.lab, node, sections, problem))
    else:
        click.echo(text, nl=False)
