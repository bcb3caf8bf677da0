"""`labctl halt`, `down` and `destroy`."""

from __future__ import annotations

import click

from labctl.cli.common import lab_option, progress_shown, workdir_of
from labctl.workdir import Workdir, locked


@click.command("halt")
@lab_option
def halt_command(lab: str | None) -> None:
    """Stop the lab's machines; 'labctl up' starts them again as they were.

    \b
    labctl halt
    """
    workdir = _existing(lab)
    with locked(workdir, what="halt"), progress_shown() as progress:
        from labctl.vagrant import VagrantMachines

        VagrantMachines(workdir, workdir.load_topology()).halt(progress=progress)
    click.echo(f"Lab '{workdir.lab}' is halted; 'labctl up' starts it again.")


@click.command("down")
@lab_option
def down_command(lab: str | None) -> None:
    """Remove the lab's machines and network; its secrets, CA and logs stay.

    \b
    labctl down
    """
    _remove(lab, what="down", forget=False)


@click.command("destroy")
@lab_option
def destroy_command(lab: str | None) -> None:
    """Remove the lab: machines, network, secrets, certificates and logs.

    \b
    labctl destroy --lab course
    """
    _remove(lab, what="destroy", forget=True)


def _remove(lab: str | None, *, what: str, forget: bool) -> None:
    workdir = _existing(lab)
    with locked(workdir, what=what), progress_shown() as progress:
        from labctl.lab.up import tear_down

        tear_down(workdir, progress=progress, forget=forget)
    left = "nothing of it is left" if forget else "'labctl up' makes it again"
    click.echo(f"Lab '{workdir.lab}' is down; {left}.")


def _existing(lab: str | None) -> Workdir:
    """The working directory of a lab that is there; LabError before anything is locked."""
    workdir = workdir_of(lab)
    workdir.load_topology()
    return workdir
