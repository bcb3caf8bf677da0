"""`labctl verify` and `labctl report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from labctl.cli.common import Console, json_option, lab_option, load_lab
from labctl.core.errors import LabError
from labctl.topology.lab import Lab

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
def verify_command(pytest_args: tuple[str, ...], report: Path | None, lab_name: str | None) -> int:
    """Run the acceptance tests against the lab.

    The exit status is pytest's own.  Other arguments are passed to pytest: '-m MARKER' selects
    tests by marker (ports, services, brewery, media, visitors, failover ...), '-k WORD' by name,
    and a file of acceptance/ runs only that file.

    \b
    labctl verify
    labctl verify -m 'not slow' --report out
    labctl verify -m failover -v
    """
    from labctl.lab.report import Files, ensure_empty
    from labctl.lab.verify import verify

    lab = load_lab(lab_name)
    if report is None:
        return verify(lab.folder, pytest_args)
    ensure_empty(report, files=Files.of(lab.folder))
    code = verify(lab.folder, pytest_args, record=True)
    _write_report(lab, report)
    return code


@click.command("report")
@click.argument("folder", type=FOLDER, metavar="DIR")
@json_option
def report_command(folder: Path, *, as_json: bool) -> None:
    """Render the page of a report again from its report.json.

    A drills.json or crowd.json in the folder is included.

    \b
    labctl report out
    labctl report out --json | jq '.failures[].message'
    """
    from labctl.lab.report import render_again
    from labctl.report.verdict import verdict_line

    report = render_again(folder)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
        return
    click.echo(verdict_line(report))
    click.echo(folder / "report.html")


def _write_report(lab: Lab, folder: Path) -> None:
    """If this fails, say so and no more: the tests already have their result."""
    from labctl.lab.report import write_report
    from labctl.report.verdict import verdict_line

    try:
        report = write_report(lab, folder, progress=Console())
    except (Exception, KeyboardInterrupt) as error:
        said = error.message if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        click.secho("labctl: ", fg="red", bold=True, err=True, nl=False)
        click.echo(f"The report could not be written: {said}", err=True)
        click.echo("The exit status is that of the tests.", err=True)
        return
    click.echo(verdict_line(report))
    click.echo(f"Report: {folder / 'report.html'}")
