"""`labctl images`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from labctl.cli.common import json_option, parse_provider, provider_option

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
    """Show every image: its role, when it was made, its size, and who uses it."""
    from labctl.lab.images import read_shelves

    found = read_shelves(parse_provider(provider))
    _tell_silent(found.silent)
    if as_json:
        data = [
            {**asdict(image), "kind": shelf.store.kind, "providers": shelf.providers}
            for shelf in found.shelves
            for image in shelf.images
        ]
        click.echo(json.dumps(data, indent=2))
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
    """Show what is known of an image: what it was made of, what it holds, who uses it."""
    from labctl.lab.images import find_image

    shelf, image = find_image(reference, provider=parse_provider(provider))
    data = {**shelf.store.show(reference), "users": image.users, "kind": shelf.store.kind}
    click.echo(json.dumps(data, indent=2) if as_json else _render(data))


@images_command.command("verify")
@click.argument("references", nargs=-1, metavar="[IMAGE...]")
@provider_option
@json_option
def verify_command(references: tuple[str, ...], *, provider: str | None, as_json: bool) -> int:
    """Read images whole and compare them with what was noted when they were made.

    All of them where none is named.  The exit status is 1 when one is not good.
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
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it.")
@provider_option
@json_option
def prune_command(*, dry_run: bool, provider: str | None, as_json: bool) -> None:
    """Remove images that no lab of this checkout and no machine uses, but the newest base.

    What failed bakes have left goes, too.  An image that is needed again is baked again.
    """
    from labctl.lab.images import prune, read_shelves

    found = read_shelves(parse_provider(provider))
    _tell_silent(found.silent)
    images, left = prune(found, dry_run=dry_run)
    if as_json:
        gone = [image.reference for image in images]
        click.echo(json.dumps({"images": gone, "leftovers": left, "dry_run": dry_run}, indent=2))
        return
    for name in left:
        click.echo(f"removed {name}")
    for image in images:
        click.echo(f"{'would remove' if dry_run else 'removed'} {image.reference}")
    click.echo(f"{len(images)} images {'would go' if dry_run else 'are gone'}.")


def _tell_silent(silent: Mapping[str, str]) -> None:
    for name, message in silent.items():
        click.echo(f"Images of provider '{name}' are left out: {message}", err=True)


def _render(data: Mapping[str, Any]) -> str:
    """One line a field; packages below, each with its version and origin."""
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
