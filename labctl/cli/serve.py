"""`labctl serve`: a running lab, live as a web page."""

from __future__ import annotations

import click

from labctl.cli.common import lab_option, load_lab
from labctl.cli.signals import ended_in_order


@click.command("serve")
@lab_option
@click.option("--listen", default="127.0.0.1:8056", show_default=True, metavar="[ADDRESS:]PORT",
              help="Where the page is; port 0 means any that is free.")  # fmt: skip
@click.option("--allow-others", is_flag=True,
              help="Allow an address that others reach; there is no password.")  # fmt: skip
@click.option("--class", "for_class", is_flag=True,
              help="Show it to a class, too, at https://<domain>/lab/.")  # fmt: skip
def serve_command(
    lab_name: str | None, *, listen: str, allow_others: bool, for_class: bool
) -> None:
    """Show a running lab live as a web page on this machine.

    It is there until Ctrl-C.  The page draws the lab, says who is on which bridge and how many are
    on which vnode, follows the logs, and shows the timelines of drills and crowds and the text of
    the exercise, if there is one in the lab's folder.  It changes nothing, and only this machine
    reaches it.

    With --class, the lab's own web server shows the same as files at https://<domain>/lab/ to
    everybody who reaches the JMS: without cures, without what ssh says of nodes that do not answer,
    and without nginx's log.  It is gone when this ends.

    \b
    labctl serve
    labctl serve --lab course --listen 8057
    labctl serve --class
    labctl serve --listen 0.0.0.0:8056 --allow-others
    """
    from contextlib import ExitStack

    from labctl.lab.report import load_secrets
    from labctl.live.guard import parse_listen
    from labctl.live.publish import Publisher, page_url
    from labctl.live.server import open_server
    from labctl.live.share import ClassSource, host_words
    from labctl.live.site import Site
    from labctl.live.source import LiveLab

    where = parse_listen(listen, allow_others=allow_others)
    lab = load_lab(lab_name)
    live, secrets = LiveLab(lab), load_secrets(lab.folder)
    site = Site(live, lab.folder, secrets=secrets)
    shared = Site(ClassSource(live), lab.folder, secrets=secrets, hidden=host_words(lab))
    with open_server(where, site) as server, live, ended_in_order(), ExitStack() as stack:
        try:
            click.echo(server.listen.url)
            if for_class:
                stack.enter_context(Publisher(lab, shared))
                click.echo(page_url(lab))
            click.echo(f"Lab '{lab.topology.lab}' is at the address above; Ctrl-C ends.", err=True)
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Ended.", err=True)
