"""`labctl images`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from labctl.cli.common import json_option, parse_provider, provider_option
from labctl.cli.told import ImageTold, PrunedTold, tell

if TYPE_CHECKING:
    from labctl.images.store import Image
    from labctl.lab.images import Shelf

MEGABYTE = 1_000_000


@click.group("images")
def images_command() -> None:
    """Show, check and remove the images that labctl has made.

    \b
    labctl images list
    labctl images show labctl/jms:0123456789ab
    labctl images verify
    labctl images prune --dry-run
    """


@images_command.command("list")
@provider_option
@json_option
def list_command(*, provider: str | None, as_json: bool) -> None:
    """Show every image: its role, when it was made, its size, and what uses it.

    \b
    labctl images list
    labctl images list --provider docker --json
    """
    from labctl.lab.images import read_shelves

    found = read_shelves(parse_provider(provider))
    _tell_silent(found.silent)
    if as_json:
        tell([_told(shelf, image) for shelf in found.shelves for image in shelf.images])
        return
    for shelf in found.shelves:
        for image in shelf.images:
            users = ", ".join(image.users) or "-"
            size = f"{image.size // MEGABYTE} MB"
            click.echo(f"{image.reference:<32} {image.created[:16]:<17} {size:>7}  {users}")


@images_command.command("show")
@click.argument("reference", metavar="IMAGE")
@provider_option
@json_option
def show_command(reference: str, *, provider: str | None, as_json: bool) -> None:
    """Show the details of an image: what it was made from, its packages, and what uses it.

    \b
    labctl images show labctl/jms:13-0123456789ab
    """
    from labctl.lab.images import find_image

    shelf, image = find_image(reference, provider=parse_provider(provider))
    data = {**shelf.store.show(reference), "users": image.users, "kind": shelf.store.kind}
    click.echo(json.dumps(data, indent=2) if as_json else _render(data))


@images_command.command("verify")
@click.argument("references", nargs=-1, metavar="[IMAGE...]")
@provider_option
@json_option
def verify_command(references: tuple[str, ...], *, provider: str | None, as_json: bool) -> int:
    """Read whole images and compare them with what was recorded when they were made.

    Without a name, all images are checked.  The exit status is 1 if an image is damaged.

    \b
    labctl images verify
    labctl images verify labctl/jms:13-0123456789ab
    """
    from labctl.lab.images import find_image, read_shelves, verify_images

    chosen = parse_provider(provider)
    if references:
        places = [(name, find_image(name, provider=chosen)[0]) for name in references]
        found: Mapping[str, list[str]] = {
            name: list(shelf.store.verify(name)) for name, shelf in places
        }
    else:
        shelves = read_shelves(chosen)
        _tell_silent(shelves.silent)
        found = verify_images(shelves)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for name, problems in found.items():
            click.echo(f"{name:<32} {'; '.join(problems) or 'good'}")
    return 1 if any(found.values()) else 0


@images_command.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@provider_option
@json_option
def prune_command(*, dry_run: bool, provider: str | None, as_json: bool) -> None:
    """Remove images that no lab of this checkout and no machine uses, except the newest base.

    What failed bakes have left is removed too.  An image that is needed again is baked again.

    \b
    labctl images prune --dry-run
    labctl images prune
    """
    from labctl.lab.images import prune, read_shelves

    found = read_shelves(parse_provider(provider))
    _tell_silent(found.silent)
    images, left = prune(found, dry_run=dry_run)
    if as_json:
        tell(PrunedTold(tuple(image.reference for image in images), tuple(left), dry_run))
        return
    for name in left:
        click.echo(f"removed {name}")
    for image in images:
        click.echo(f"{'would remove' if dry_run else 'removed'} {image.reference}")
    click.echo(f"{len(images)} images {'would be removed' if dry_run else 'removed'}.")


def _told(shelf: Shelf, image: Image) -> ImageTold:
    return ImageTold(
        image.reference,
        image.role,
        image.created,
        image.size,
        image.users,
        kind=str(shelf.store.kind),
        providers=tuple(map(str, shelf.providers)),
    )


def _tell_silent(silent: Mapping[str, str]) -> None:
    for name, message in silent.items():
        click.echo(f"Images of provider '{name}' are not included: {message}", err=True)


def _render(data: Mapping[str, Any]) -> str:
    """One line per field; packages below, each with its version and origin."""
    fields = {key: value for key, value in data.items() if key != "packages"}
    lines = [
        f"{key:<13} {', '.join(value) or '-' if isinstance(value, list | tuple) else value}"
        for key, value in fields.items()
    ]
    if data["packages"]:
        lines += ["", f"{'PACKAGE':<24} {'VERSION':<28} SOURCE"]
    lines += [
        f"{name:<24} {package['version']:<28} {package['source']}"
        for name, package in data["packages"].items()
    ]
    return "\n".join(lines)
