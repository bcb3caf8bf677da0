"""`labctl rebuild`."""

from __future__ import annotations

import click

from labctl.cli.common import lab_option, load_lab, progress_shown
from labctl.cli.complete import complete_nodes
from labctl.topology.lock import locked


@click.command("rebuild")
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...", shell_complete=complete_nodes)
@lab_option
def rebuild_command(nodes: tuple[str, ...], lab_name: str | None) -> None:
    """Make nodes anew from their images.

    Whatever was done to them is gone, their logs too.  Other nodes are not touched.  It takes
    seconds, and is for a node that somebody broke so that 'labctl up' cannot repair it.

    \b
    labctl rebuild jvb1
    labctl rebuild jms visitors1
    """
    from labctl.cli.nodes import check_node
    from labctl.lab.rebuild import rebuild

    lab = load_lab(lab_name)
    for node in nodes:
        check_node(lab, node)
    with locked(lab.folder, what="rebuild"), progress_shown() as progress:
        timings = rebuild(lab, nodes, progress=progress)
    names = ", ".join(f"'{node}'" for node in dict.fromkeys(nodes))
    click.secho(f"\nMade anew after {timings.total:.1f} s: {names}.", bold=True)
    click.echo(f"  phases    {timings}")
    click.echo("  next      labctl status")
