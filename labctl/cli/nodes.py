"""`labctl ssh` and `exec`."""

from __future__ import annotations

import difflib

import click

from labctl.cli.common import lab_option, workdir_of
from labctl.errors import UsageError
from labctl.ssh import open_shell
from labctl.workdir import Workdir


def check_node(workdir: Workdir, node: str) -> None:
    """Refuse a node that the lab does not have, naming those that it has."""
    names = [each.name for each in workdir.load_topology().nodes]
    if node not in names:
        near = difflib.get_close_matches(node, names, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        raise UsageError(
            f"Lab '{workdir.lab}' has no node '{node}'.{meant}",
            hint=f"Its nodes are {', '.join(names)}.",
        )


@click.command("ssh")
@click.argument("node")
@lab_option
def ssh_command(node: str, lab: str | None) -> None:
    """Open a shell on a node.

    \b
    labctl ssh jms
    """
    workdir = workdir_of(lab)
    check_node(workdir, node)
    open_shell(workdir, node)


@click.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@lab_option
def exec_command(node: str, command: tuple[str, ...], lab: str | None) -> None:
    """Run a command on a node; its output and exit status are this command's.

    \b
    labctl exec jms -- sudo tail -n 20 /var/log/jitsi/jicofo.log
    """
    workdir = workdir_of(lab)
    check_node(workdir, node)
    open_shell(workdir, node, command=command)
