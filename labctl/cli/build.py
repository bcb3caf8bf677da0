"""`labctl build` and `render`."""

from __future__ import annotations

import json
from typing import Any

import click

from labctl.cli.common import json_option, progress_shown
from labctl.cli.up import read_spec, spec_options
from labctl.workdir import Workdir, locked


@click.command("build")
@spec_options
@click.option("--refresh", is_flag=True, help="Bake anew, asking the package repositories again.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images to make at once; as many as there are cores where it is not given.",
)
@json_option
def build_command(*, refresh: bool, jobs: int | None, as_json: bool, **options: Any) -> None:
    """Make the images of all roles that the lab needs, without starting anything.

    An image is named by what goes into it, so that one that is there costs nothing.

    \b
    labctl build
    labctl build --packages debs:./candidates
    labctl build --provider libvirt --jobs 1
    labctl build --provider virtualbox        boxes for others; needs QEMU or VirtualBox
    """
    from labctl.choice import settle_provider
    from labctl.imageplan import packages_to_json
    from labctl.lab.machines import ensure_images_of, packages_of
    from labctl.providers import facts_of

    spec, data = read_spec(options)
    with progress_shown() as progress:
        spec = settle_provider(
            spec, named="provider" in data, workdir=Workdir.of(spec.lab), progress=progress
        )
        facts_of(spec.provider).images.ensure_tools(progress)
        images = ensure_images_of(spec, progress=progress, refresh=refresh, jobs=jobs)
    if as_json:
        packages = packages_to_json(packages_of(spec.provider, images))
        named = {str(role): reference for role, reference in images.items()}
        click.echo(json.dumps({"images": named, "packages": packages}, indent=2))
        return
    for role, reference in images.items():
        click.echo(f"{role:<10} {reference}")


@click.command("render")
@spec_options
def render_command(**options: Any) -> None:
    """Write the configuration files of every node, without images and machines.

    \b
    labctl render --visitors 12 --relays
    """
    spec, data = read_spec(options)
    workdir = Workdir.of(spec.lab)
    with locked(workdir, what="render"), progress_shown() as progress:
        from labctl.choice import settle_provider
        from labctl.lab.up import render_only

        spec = settle_provider(spec, named="provider" in data, workdir=workdir, progress=progress)
        render_only(spec, workdir=workdir)
    click.echo(workdir.tree)
