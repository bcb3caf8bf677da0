"""`labctl images`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from labctl.cli.common import json_option

MEGABYTE = 1_000_000


@click.group("images")
def images_command() -> None:
    """Show the images that labctl has made, and remove those that nobody uses.

    \b
    labctl images list
    labctl images prune --dry-run
    """


@images_command.command("list")
@json_option
def list_command(*, as_json: bool) -> None:
    """Show every image: its role, when it was made, its size, and who uses it."""
    from labctl.imagestore import list_images

    images = list_images()
    if as_json:
        click.echo(json.dumps([asdict(image) for image in images], indent=2))
        return
    for image in images:
        users = ", ".join(image.users) or "-"
        size = f"{image.size // MEGABYTE} MB"
        click.echo(f"{image.reference:<32} {image.created[:16]:<17} {size:>7}  {users}")


@images_command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it.")
def prune_command(*, dry_run: bool) -> None:
    """Remove images that no lab of this checkout and no container uses, but the newest base.

    What failed bakes have left goes, too.  An image that is needed again is baked again.
    """
    from labctl.imagestore import (
        choose_prunable,
        list_images,
        remove_images,
        remove_kept_containers,
    )

    images = choose_prunable(list_images())
    if not dry_run:
        images = remove_images(images)
        for name in remove_kept_containers():
            click.echo(f"removed container {name}")
    word = "would remove" if dry_run else "removed"
    for image in images:
        click.echo(f"{word} {image.reference}")
    click.echo(f"{len(images)} images {'would go' if dry_run else 'are gone'}.")
