"""`labctl build` and `render`."""

from __future__ import annotations

from typing import Any

import click

from labctl.cli.common import json_option, progress_shown
from labctl.cli.told import BuildTold, PackageTold, RenderTold, tell
from labctl.cli.up import read_spec, spec_options
from labctl.render.tree import rendered_paths
from labctl.topology.lock import locked
from labctl.topology.workdir import Workdir


@click.command("build")
@spec_options
@click.option("--refresh", is_flag=True, help="Ask the package repositories again, and bake again.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images to make at once; by default, the number of cores.",
)
@json_option
def build_command(*, refresh: bool, jobs: int | None, as_json: bool, **options: Any) -> None:
    """Make the images that the lab needs.

    Nothing is started.  An image is named by its content, so existing images are used as they
    are.  Boxes for VirtualBox need QEMU or VirtualBox.

    \b
    labctl build
    labctl build --packages debs:./candidates
    labctl build --provider libvirt --jobs 1
    labctl build --provider virtualbox     boxes for others
    """
    from labctl.lab.machines import ensure_images_of, packages_of
    from labctl.providers.choice import resolve_provider
    from labctl.providers.table import provider_of

    spec, data = read_spec(options)
    with progress_shown() as progress:
        spec = resolve_provider(
            spec, named="provider" in data, workdir=Workdir.of(spec.lab), progress=progress
        )
        provider_of(spec.provider).images.ensure_tools(progress)
        images = ensure_images_of(spec, progress=progress, refresh=refresh, jobs=jobs)
    if as_json:
        found = packages_of(spec.provider, images)
        packages = {name: PackageTold(it.version, str(it.origin)) for name, it in found.items()}
        tell(BuildTold({str(role): image for role, image in images.items()}, packages))
        return
    for role, reference in images.items():
        click.echo(f"{role:<10} {reference}")


@click.command("render")
@spec_options
@json_option
def render_command(*, as_json: bool, **options: Any) -> None:
    """Write every node's configuration files, without images and machines.

    \b
    labctl render --visitors 12 --relays
    labctl render --json | jq .nodes.jms
    """
    spec, data = read_spec(options)
    workdir = Workdir.of(spec.lab)
    with locked(workdir, what="render"), progress_shown() as progress:
        from labctl.lab.up import render_only
        from labctl.providers.choice import resolve_provider

        spec = resolve_provider(spec, named="provider" in data, workdir=workdir, progress=progress)
        topology = render_only(spec, workdir=workdir, progress=progress)
    if not as_json:
        click.echo(workdir.tree)
        return
    nodes = {node.name: rendered_paths(workdir, node.name) for node in topology.nodes}
    tell(RenderTold(spec.lab, str(workdir.tree), nodes))
