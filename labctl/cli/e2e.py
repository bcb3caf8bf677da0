"""`labctl e2e`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.common import Console, json_option, lab_option, load_lab
from labctl.cli.signals import ended_in_order
from labctl.cli.told import SpecTold, tell
from labctl.core.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.e2e.suite import SpecFile
    from labctl.report.e2e import E2eRecord

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(path_type=Path)
LOOKS = {"passed": "green", "failed": "red", "flaky": "yellow"}


@click.command("e2e")
@click.option("--suite", "suite_folder", required=True, type=FOLDER, metavar="DIR",
              help="A checkout of jitsi-meet, or its folder 'tests'.")  # fmt: skip
@click.option("--spec", "globs", multiple=True, metavar="GLOB",
              help="Only these specs: 'ui/*', 'preJoin'; may be repeated.")  # fmt: skip
@click.option("--browsers", type=click.IntRange(1, 100), metavar="N",
              help="The most browsers that a spec may open; by default, one a core.")  # fmt: skip
@click.option("--again", default=1, show_default=True, type=click.IntRange(0, 10), metavar="N",
              help="How often a spec that fails is run again.")  # fmt: skip
@click.option("--chromium", type=FILE, metavar="FILE",
              help="Your own Chromium or Chrome; Debian's by default.")  # fmt: skip
@click.option("--chromedriver", type=FILE, metavar="FILE",
              help="The driver of your own browser.")  # fmt: skip
@click.option("--show", is_flag=True, help="Open windows: for debugging, on a desktop.")
@click.option("--report", type=FOLDER, metavar="DIR",
              help="Write the results to this folder; to the lab's by default.")  # fmt: skip
@click.option("--continue", "resume", is_flag=True,
              help="Keep the results of a run that was interrupted, and run the rest.")  # fmt: skip
@click.option("--list", "only_list", is_flag=True, help="List the specs, and run none.")
@json_option
@lab_option
def e2e_command(
    *,
    suite_folder: Path,
    globs: tuple[str, ...],
    browsers: int | None,
    again: int,
    chromium: Path | None,
    chromedriver: Path | None,
    show: bool,
    report: Path | None,
    resume: bool,
    only_list: bool,
    as_json: bool,
    lab_name: str | None,
) -> int:
    """Run jitsi-meet's own end-to-end suite against the lab.

    The suite is that of WebdriverIO in a checkout of jitsi-meet, in which you have run 'npm ci'.
    Each spec has a process of its own, and one browser for
    each participant.  Specs that fail are run again; those that then pass are flaky.  The exit
    status is 0 if a spec passed and none failed, 1 if not, and 130 after Ctrl-C.

    The results are in e2e.json, e2e.xml (JUnit) and e2e.html, and pictures and logs of specs that
    failed are in e2e/.  'labctl verify --report DIR' includes those in DIR, else those of the lab.

    \b
    labctl e2e --suite ~/jitsi-meet
    labctl e2e --suite ~/jitsi-meet --spec 'ui/*' --spec preJoin --report out
    labctl e2e --suite ~/jitsi-meet --browsers 4 --again 0 --json
    labctl e2e --suite ~/jitsi-meet --list
    """
    from labctl.e2e.files import load_known, save_record
    from labctl.e2e.needs import want_programs
    from labctl.e2e.run import E2ePlan, cores, run_plan
    from labctl.e2e.suite import choose_specs, find_suite

    suite = find_suite(suite_folder)
    specs = choose_specs(suite, globs)
    most = browsers or cores()
    if only_list:
        return _list(specs, most, as_json=as_json)
    programs = want_programs(suite, chromium=chromium, chromedriver=chromedriver)
    lab = load_lab(lab_name)
    folder = (report or lab.folder.path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    plan = E2ePlan(
        suite=suite,
        specs=specs,
        programs=programs,
        folder=folder,
        most_browsers=most,
        again=again,
        headless=not show,
        known=load_known(folder, lab=lab.topology.lab, suite=suite.folder) if resume else {},
    )
    with ended_in_order():
        record = run_plan(
            lab, plan, progress=Console(), save=lambda record: save_record(record, folder)
        )
    if as_json:
        click.echo(json.dumps(record.to_json(), indent=2))
    else:
        _print(record, folder)
    if record.interrupted:
        click.echo("labctl: interrupted; '--continue' runs the other specs.", err=True)
        return ExitCode.INTERRUPTED
    return 0 if record.well else 1


def _list(specs: Sequence[SpecFile], most: int, *, as_json: bool) -> int:
    from labctl.e2e.run import browsers_text, why_not

    found = [(spec, why_not(spec, most)) for spec in specs]
    if as_json:
        tell([SpecTold(spec.name, spec.browsers, why) for spec, why in found])
        return 0
    width = max(len(spec.name) for spec in specs)
    for spec, why in found:
        aside = f"  not run: {why}" if why else ""
        click.echo(f"{spec.name:<{width}}  {browsers_text(spec)}{aside}")
    return 0


def _print(record: E2eRecord, folder: Path) -> None:
    width = max((len(spec.name) for spec in record.specs), default=0)
    for spec in record.specs:
        click.secho(f"{spec.outcome:<8}", fg=LOOKS.get(spec.outcome), nl=False)
        took = f"{spec.seconds:6.1f} s" if spec.attempts else " " * 8
        click.echo(f" {spec.name:<{width}} {took}  {spec.message}".rstrip())
    click.secho(f"\n{record.sentence}", fg="green" if record.well else "red", bold=True)
    for note in record.notes:
        click.echo(note)
    click.echo(f"Report: {folder / 'e2e.html'}")
