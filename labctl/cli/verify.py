"""`labctl verify` and `labctl report`."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.cli.common import Console, lab_option, workdir_of
from labctl.errors import LabError
from labctl.workdir import Workdir

FOLDER = click.Path(file_okay=False, path_type=Path, resolve_path=True)


@click.command("verify", context_settings={"ignore_unknown_options": True})
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--report",
    type=FOLDER,
    metavar="DIR",
    help="Write report.html, report.json and junit.xml to this folder.",
)
@lab_option
def verify_command(pytest_args: tuple[str, ...], report: Path | None, lab: str | None) -> int:
    """Run the acceptance tests against the lab; the exit status is pytest's own.

    What follows is for pytest: '-m MARKER' chooses (ports, services, brewery, visitors,
    failover ...), '-k WORD' finds, a file of acceptance/ runs alone.

    \b
    labctl verify
    labctl verify -m 'not slow' --report out
    labctl verify -m failover -v
    """
    from labctl.lab.report import Files, ensure_empty
    from labctl.lab.verify import verify

    workdir = workdir_of(lab)
    if report is None:
        return verify(workdir, pytest_args)
    workdir.load_topology()
    ensure_empty(report, files=Files.of(workdir))
    code = verify(workdir, pytest_args, record=True)
    _write_report(workdir, report)
    return code


@click.command("report")
@click.argument("folder", type=FOLDER, metavar="DIR")
def report_command(folder: Path) -> None:
    """Make the page of a report anew from its report.json.

    A drills.json or crowd.json in the folder is taken in.

    \b
    labctl report out
    """
    from labctl.lab.report import render_again
    from labctl.report.verdict import verdict_line

    click.echo(verdict_line(render_again(folder)))
    click.echo(folder / "report.html")


def _write_report(workdir: Workdir, folder: Path) -> None:
    """Whatever goes wrong here is said and no more: the tests have their result already."""
    from labctl.lab.report import write_report
    from labctl.report.verdict import verdict_line

    try:
        report = write_report(workdir, folder, progress=Console())
    except (Exception, KeyboardInterrupt) as error:
        said = error.message if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        click.secho("labctl: ", fg="red", bold=True, err=True, nl=False)
        click.echo(f"The report could not be made: {said}", err=True)
        click.echo("The exit status is that of the tests.", err=True)
        return
    click.echo(verdict_line(report))
    click.echo(f"Report: {folder / 'report.html'}")
