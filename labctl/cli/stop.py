"""`labctl halt`, `down` and `destroy`."""

from __future__ import annotations

import sys

import click

from labctl.cli.common import lab_option, load_lab, progress_shown, workdir_of
from labctl.cli.many import all_of_option, work_on_all
from labctl.core.errors import LabError, UsageError
from labctl.core.exits import ExitCode
from labctl.core.progress import Progress
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.workdir import Workdir, no_lab


@click.command("halt")
@all_of_option
@lab_option
def halt_command(lab_name: str | None, *, all_of: str | None) -> int:
    """Stop the lab's machines.

    'labctl up' starts them again as they were.

    \b
    labctl halt
    labctl halt --all-of course
    """
    if all_of is not None:
        return work_on_all(all_of, lambda folder, out: _halt(Lab.load(folder), out), done="halted")
    lab = load_lab(lab_name)
    with progress_shown() as progress:
        _halt(lab, progress)
    click.echo(f"Lab '{lab.topology.lab}' is halted; 'labctl up' starts it again.")
    return ExitCode.DONE


def _halt(lab: Lab, progress: Progress) -> None:
    from labctl.providers.vagrant import VagrantMachines

    with locked(lab.folder, what="halt"):
        VagrantMachines(lab).halt(progress=progress)


@click.command("down")
@all_of_option
@lab_option
def down_command(lab_name: str | None, *, all_of: str | None) -> int:
    """Remove the lab's machines and network, but keep its secrets and logs.

    \b
    labctl down
    labctl down --all-of course
    """
    if all_of is not None:
        return _remove_all(all_of, what="down", forget=False)
    _remove(lab_name, what="down", forget=False)
    return ExitCode.DONE


@click.command("destroy")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, even if the lab runs.")
@all_of_option
@lab_option
def destroy_command(lab_name: str | None, *, all_of: str | None, yes: bool) -> int:
    """Remove the lab and everything that belongs to it.

    Machines, network, secrets, certificates and logs are removed.  This also works for a lab whose
    files are missing, damaged or of another version.  On a terminal, labctl asks first if the lab
    runs; without a terminal it never asks.

    \b
    labctl destroy --lab course
    labctl destroy --yes
    labctl destroy --all-of course
    """
    if all_of is not None:
        if not yes and is_terminal() and not _agreed_all(all_of):
            click.echo("Nothing was removed.", err=True)
            return ExitCode.FAILED
        return _remove_all(all_of, what="destroy", forget=True)
    if not yes and is_terminal() and not _agreed(workdir_of(lab_name)):
        click.echo("Nothing was removed.", err=True)
        return ExitCode.FAILED
    _remove(lab_name, what="destroy", forget=True)
    return ExitCode.DONE


def is_terminal() -> bool:
    """Whether somebody can be asked: a question that nobody sees would stop a script for ever."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _agreed(folder: Workdir) -> bool:
    """Whether the user agrees to lose a lab; nobody is asked about one that does not run."""
    running = _running(folder)
    if not running:
        return True
    return click.confirm(
        f"Lab '{folder.lab}' runs ({running}). Remove it, with its secrets and logs?", err=True
    )


def _agreed_all(name: str) -> bool:
    """The same for all labs of a name, with one question."""
    from labctl.lab.many import labs_named

    running = [it.lab for it in labs_named(name, find=Workdir.of) if _running(it)]
    if not running:
        return True
    return click.confirm(
        f"These labs run: {', '.join(running)}. Remove all labs '{name}', with secrets and logs?",
        err=True,
    )


def _remove_all(name: str, *, what: str, forget: bool) -> int:
    """Remove every lab of a name; those that cannot be removed do not stop the others."""
    from labctl.lab.remove import tear_down
    from labctl.training.handout import remove_index

    def remove(folder: Workdir, progress: Progress) -> None:
        with locked(folder, what=what):
            tear_down(folder, progress=progress, forget=forget)

    code = work_on_all(name, remove, done="removed" if forget else "down")
    if forget and code == ExitCode.DONE:
        remove_index(name, labs=Workdir.of(name).path.parent)
    return code


def _running(folder: Workdir) -> str:
    """The machines that run, in words; empty if none does."""
    from labctl.providers.vagrant import RUNNING, VagrantMachines

    if not folder.exists():
        return ""
    try:
        states = VagrantMachines(Lab(folder, folder.load_topology())).states()
    except LabError:
        return "perhaps: its machines cannot be asked"
    return ", ".join(name for name, state in states.items() if state == RUNNING)


def _remove(lab_name: str | None, *, what: str, forget: bool) -> None:
    folder = workdir_of(lab_name)
    if folder.path.is_symlink():
        target = folder.path.resolve().name
        raise UsageError(f"'{folder.path}' is a link to lab '{target}': use that name instead.")
    if not forget and not folder.path.is_dir():
        raise no_lab(folder)
    with locked(folder, what=what), progress_shown() as progress:
        from labctl.lab.remove import tear_down

        known = tear_down(folder, progress=progress, forget=forget)
    if not known:
        raise no_lab(folder)
    left = "nothing of it is left" if forget else "'labctl up' makes it again"
    click.echo(f"Lab '{folder.lab}' is down; {left}.")
