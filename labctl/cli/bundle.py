"""`labctl bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labctl.cli.common import json_option, progress_shown
from labctl.cli.told import BundleTold, BundleVerifiedTold, FileTold, tell
from labctl.cli.up import read_spec, spec_options

MEGABYTE = 1_000_000


class BundleGroup(click.Group):
    """`labctl bundle DIR` writes; a subcommand is named by its word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else "--help"
        return super().parse_args(
            ctx, args if first in (*self.commands, "-h", "--help") else ["write", *args]
        )


@click.group("bundle", cls=BundleGroup, subcommand_metavar="[write] DIR | verify DIR")
def bundle_command() -> None:
    """Write the lab to a folder for machines without labctl.

    \b
    labctl bundle --provider virtualbox /media/stick/lab
    labctl bundle --provider docker --jvbs 1 --visitors 2 ./class
    labctl bundle verify /media/stick/lab
    """


@bundle_command.command("write")
@spec_options
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def write_command(folder: Path, *, as_json: bool, **options: Any) -> None:
    """Write the lab to a new folder, with everything that it needs.

    On a machine that has Vagrant and the provider, 'vagrant up' in that folder gives the same lab.
    It needs no network there.  Interrupted, the same command continues.  The word 'write' may be
    left out.

    \b
    labctl bundle write --provider virtualbox --small /media/stick/lab
    labctl bundle write --provider docker --network 192.168.60.0/24 ./class
    """
    spec, data = read_spec(options)
    with progress_shown() as progress:
        from labctl.bundle.make import make_bundle
        from labctl.providers.choice import resolve_provider
        from labctl.topology.workdir import Workdir

        spec = resolve_provider(
            spec, named="provider" in data, workdir=Workdir.of(spec.lab), progress=progress
        )
        bundle = make_bundle(spec, target=folder.absolute(), progress=progress)
    if as_json:
        tell(
            BundleTold(
                folder=str(folder.absolute()),
                lab=bundle.lab,
                provider=str(bundle.provider),
                id=bundle.id,
                files=len(bundle.files),
                bytes=bundle.size,
                stand_ins=bundle.stand_ins,
            )
        )
        return
    click.secho(f"\nLab '{bundle.lab}' is in '{folder}': {bundle.size // MEGABYTE} MB.", bold=True)
    if bundle.stand_ins:
        click.echo(f"  packages  STAND-INS, not Jitsi's software: {', '.join(bundle.stand_ins)}")
    click.echo("  secrets   the folder has this lab's own keys and passwords; see its README.md")
    click.echo(f"  next      labctl bundle verify {folder} | there: vagrant up")


@bundle_command.command("verify")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def verify_command(folder: Path, *, as_json: bool) -> int:
    """Read every file of a bundle and compare it with its checksum.

    The exit status is 1 if a file is missing or damaged.

    \b
    labctl bundle verify /media/stick/lab
    labctl bundle verify --json ./class | jq .problems
    """
    from labctl.bundle.verify import verify_bundle

    with progress_shown() as progress:
        found = verify_bundle(folder, progress=progress)
    bundle = found.bundle
    if as_json:
        tell(
            BundleVerifiedTold(
                folder=str(folder.absolute()),
                lab=bundle.lab,
                provider=str(bundle.provider),
                good=not found.problems,
                files=len(bundle.files),
                bytes=bundle.size,
                problems=tuple(FileTold(one.path, one.said) for one in found.problems),
                notes=found.notes,
            )
        )
        return 1 if found.problems else 0
    for problem in found.problems:
        click.echo(str(problem))
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    if found.problems:
        click.echo("Copy these files again from where the bundle came, or make it anew.", err=True)
        return 1
    click.echo(f"Good: {len(bundle.files)} files, {bundle.size // MEGABYTE} MB, lab"
               f" '{bundle.lab}' for {bundle.provider}.")  # fmt: skip
    return 0
