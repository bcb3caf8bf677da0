"""`labctl doctor`: this machine, or a lab that runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from labctl.cli.common import json_option, load_lab, progress_shown
from labctl.cli.signals import ended_in_order
from labctl.cli.told import CheckTold, DoctorTold, tell


@click.command("doctor")
@click.option("--provider", default="docker", show_default=True, metavar="NAME",
              help="What shall run the machines.")  # fmt: skip
@click.option("--network", default="192.168.56.0/24", show_default=True, metavar="CIDR",
              help="The network of the lab.")  # fmt: skip
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A lab.conf: its provider, its network and its machines instead.",
)
@click.option("--fix", is_flag=True, help="Cure what a command can cure, and say what changed.")
@click.option(
    "--lab",
    "lab_name",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Look for mistakes in this running lab instead; without a name, in the one used last.",
)
@json_option
def doctor_command(
    *,
    provider: str,
    network: str,
    config: Path | None,
    fix: bool,
    lab_name: str | None,
    as_json: bool,
) -> int:
    """Check whether this machine can run a lab, or what is wrong with one that runs.

    What can only be known by trying is tried: a network is made, a node is started in it and
    reached, and both are removed again.  It takes some seconds.

    With --lab, the nodes of that lab are asked, media is tried, and known mistakes are
    told in words: a bridge in the wrong brewery, a refused password, a certificate that is not
    trusted, a vnode that is not linked, a closed media port, a clock that is off, files changed by
    hand.

    Each finding has an id and a section in docs/troubleshooting.md.  With --fix, missing
    programs are installed, the engine is started, and commands that cure findings are run; with
    --lab, stopped nodes are started and labctl's own files are placed again.  The exit status is 1
    if something is wrong that no lab can run with, or with --lab, if anything is wrong.

    \b
    labctl doctor
    labctl doctor --fix
    labctl doctor --provider auto --network auto
    labctl doctor --config lab.conf
    labctl doctor --lab
    labctl doctor --lab class --json
    """
    if lab_name is not None:
        return _diagnose(lab_name or None, fix=fix, as_json=as_json)
    flags = {"provider": provider, "network": network} if config is None else {}
    return _examine(config, flags, fix=fix, as_json=as_json)


def _examine(config: Path | None, flags: dict[str, str], *, fix: bool, as_json: bool) -> int:
    from dataclasses import replace

    from labctl.core.checks import CheckStatus, render_checks
    from labctl.lab.cure import cure_machine
    from labctl.lab.doctor import examine, look
    from labctl.providers.choice import choose_provider
    from labctl.providers.table import is_provider
    from labctl.spec import load_spec

    spec, _ = load_spec(config, flags)
    changed: list[str] = []
    with progress_shown() as progress, ended_in_order():
        if not is_provider(spec.provider):
            spec = replace(spec, provider=choose_provider(progress=progress))
        if fix:
            before = look(spec, progress=progress)
            changed = cure_machine(spec.provider, before, progress=progress)
        checks = examine(spec, progress=progress)
    _tell_changes(changed, asked=fix)
    if as_json:
        _print_json(changed, checks=[check.to_json() for check in checks])
    else:
        click.echo(render_checks(checks))
    return 1 if any(check.status is CheckStatus.FAIL for check in checks) else 0


def _diagnose(lab_name: str | None, *, fix: bool, as_json: bool) -> int:
    from labctl.lab.cure import cure_lab
    from labctl.lab.diagnose import diagnose, render_diagnoses
    from labctl.node.ssh import ensure_config
    from labctl.topology.lock import locked

    lab = load_lab(lab_name)
    ensure_config(lab)
    changed: list[str] = []
    with progress_shown() as progress:
        found = diagnose(lab, progress=progress)
        if fix and found:
            with locked(lab.folder, what="doctor"):
                changed = cure_lab(lab, progress=progress)
            found = diagnose(lab, progress=progress)
    _tell_changes(changed, asked=fix)
    if as_json:
        _print_json(changed, checks=[each.to_json() for each in found])
    else:
        click.echo(render_diagnoses(lab.topology.lab, found))
    return 1 if found else 0


def _print_json(changed: list[str], *, checks: list[dict[str, Any]]) -> None:
    tell(DoctorTold(tuple(changed), tuple(CheckTold(**check) for check in checks)))


def _tell_changes(changed: Iterable[str], *, asked: bool) -> None:
    """Say on standard error what was changed; also that nothing was."""
    lines = list(changed)
    if asked and not lines:
        lines = ["nothing"]
    for line in lines:
        click.echo(f"changed: {line}", err=True)
