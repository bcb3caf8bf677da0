"""`labctl class handout`."""

from __future__ import annotations

import click

from labctl.cli.common import lab_option, load_lab
from labctl.cli.many import all_of_option, write_pages
from labctl.core.errors import LabError
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir


@click.command("handout")
@all_of_option
@lab_option
def handout_command(lab_name: str | None, *, all_of: str | None) -> None:
    """Write the page that a student gets: addresses, ssh, web, CA, and the exercise.

    'labctl up --count' writes it for each lab; write it again when an exercise has been started.
    The page holds the lab's ssh key, so only you may read it.

    \b
    labctl class handout
    labctl class handout --all-of course
    """
    from labctl.lab.many import labs_named
    from labctl.training.handout import write_handout

    if all_of is None:
        click.echo(write_handout(load_lab(lab_name)))
        return
    for folder in labs_named(all_of, find=Workdir.of):
        if folder.exists():
            click.echo(write_handout(Lab.load(folder)))
    index = write_pages(all_of)
    if index is None:
        raise LabError(f"There is no lab '{all_of}-1', nor another of that name.")
    click.echo(index)
