"""The images that labctl has made: which there are, who uses them, which may go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl import process
from labctl.baking import DOCKER_HINT
from labctl.containerbake import KEPT_PREFIX
from labctl.workdir import ROOT

LABS = ROOT / ".lab"


@dataclass(frozen=True, slots=True)
class Image:
    """An image of labctl: its reference, role, when it was made (RFC 3339), bytes of its own.

    `users` are labs of this checkout that name it, and containers of anybody.
    """

    reference: str
    role: str
    created: str
    size: int
    users: tuple[str, ...] = ()


def list_images(labs: Path = LABS) -> list[Image]:
    """All images of labctl that Docker has, the newest first."""
    listing = process.run(
        ["docker", "images", "--quiet", "--no-trunc", "--filter", "label=labctl.hash"],
        hint=DOCKER_HINT,
        timeout=30,
    )
    ids = sorted(set(listing.output.split()))
    if not ids:
        return []
    inspected = process.run(["docker", "image", "inspect", *ids], timeout=30)
    users = {**lab_images(labs)}
    for name, reference in _containers():
        users.setdefault(reference, []).append(f"container {name}")
    return parse_images(json.loads(inspected.output), users=users)


def parse_images(data: Iterable[Any], *, users: dict[str, list[str]]) -> list[Image]:
    """Images as `docker image inspect` prints them; those without a name are left out."""
    found = [
        Image(
            reference,
            item["Config"]["Labels"].get("labctl.role", ""),
            item["Created"],
            int(item["Size"]),
            tuple(users.get(reference, ())),
        )
        for item in data
        for reference in item["RepoTags"] or ()
    ]
    return sorted(found, key=lambda image: image.created, reverse=True)


def lab_images(labs: Path) -> dict[str, list[str]]:
    """Image -> the labs of this checkout whose topology names it."""
    found: dict[str, list[str]] = {}
    for file in sorted(labs.glob("*/topology.json")):
        if file.parent.is_symlink():
            continue
        try:
            nodes = json.loads(file.read_text(encoding="utf-8"))["nodes"]
            references = sorted({str(node["image"]) for node in nodes})
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for reference in references:
            found.setdefault(reference, []).append(f"lab {file.parent.name}")
    return found


def choose_prunable(images: Sequence[Image]) -> list[Image]:
    """Images that nobody uses, but for the newest base: every role is baked on that one."""
    newest_base = next((image for image in images if image.role == "base"), None)
    return [image for image in images if not image.users and image is not newest_base]


def remove_images(images: Iterable[Image]) -> list[Image]:
    """Remove images; returns those that Docker did remove (another may have begun to use one)."""
    removed = []
    for image in images:
        command = ["docker", "image", "rm", image.reference]
        if process.run(command, check=False, timeout=60).code == 0:
            removed.append(image)
    return removed


def remove_kept_containers() -> list[str]:
    """Remove the containers that failed bakes have left for a look inside; returns their names."""
    command = ["docker", "ps", "--all", "--filter", f"name=^{KEPT_PREFIX}"]
    listing = process.run([*command, "--format", "{{.Names}}"], timeout=30)
    names = listing.output.split()
    for name in names:
        process.run(["docker", "rm", "--force", "--volumes", name], check=False, timeout=60)
    return names


def _containers() -> list[tuple[str, str]]:
    """(name, image reference) of every container."""
    command = ["docker", "ps", "--all", "--format", "{{.Names}}\t{{.Image}}"]
    lines = process.run(command, timeout=30).output.splitlines()
    return [(name, image) for name, _, image in (line.partition("\t") for line in lines)]
