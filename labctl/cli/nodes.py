"""`labctl ssh` and `exec`."""

from __future__ import annotations

import difflib

import click

from labctl.cli.common import lab_option, load_lab
from labctl.cli.complete import complete_nodes
from labctl.core.errors import UsageError
from labctl.node.ssh import ensure_config, include_line, open_shell
from labctl.topology.lab import Lab


def check_node(lab: Lab, node: str) -> None:
    """Refuse a node that the lab does not have, and name those that it has."""
    names = [each.name for each in lab.topology.nodes]
    if node not in names:
        near = difflib.get_close_matches(node, names, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"Lab '{lab.topology.lab}' has no node '{node}'.{meant}",
            hint=f"Its nodes are {', '.join(names)}.",
        )


@click.command("ssh")
@click.argument("node", required=False, shell_complete=complete_nodes)
@click.option(
    "--config",
    "show_config",
    is_flag=True,
    help="Print the line for your own ssh_config with which ssh knows all labs' nodes.",
)
@lab_option
def ssh_command(node: str | None, lab_name: str | None, *, show_config: bool) -> None:
    """Open a shell on a node, or make other programs know the nodes.

    With the line that '--config' prints in ~/.ssh/config, above every 'Host', ssh, scp, rsync
    and VS Code reach a node as NODE.LAB.  Nothing changes for other hosts.

    \b
    labctl ssh jms
    labctl ssh --config
    """
    lab = load_lab(lab_name)
    if show_config:
        ensure_config(lab)
        click.echo(include_line(lab.folder))
        host = f"{lab.topology.jms.name}.{lab.topology.lab}"
        click.echo("Put it at the top of ~/.ssh/config.  Then, for example:", err=True)
        click.echo(f"  scp file {host}:", err=True)
        click.echo(f"  rsync -a --rsync-path='sudo rsync' {host}:/var/log/jitsi/ logs/", err=True)
        return
    if node is None:
        names = ", ".join(each.name for each in lab.topology.nodes)
        raise UsageError("'labctl ssh' needs a node.", hint=f"The nodes are {names}.")
    check_node(lab, node)
    open_shell(lab.folder, node)


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node", shell_complete=complete_nodes)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@lab_option
def exec_command(node: str, command: tuple[str, ...], lab_name: str | None) -> None:
    """Run a command on a node.

    Its output and exit status become those of 'labctl exec'.

    \b
    labctl exec jms -- sudo tail -n 20 /var/log/jitsi/jicofo.log
    """
    lab = load_lab(lab_name)
    check_node(lab, node)
    open_shell(lab.folder, node, command=command)
