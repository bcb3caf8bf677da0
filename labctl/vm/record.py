"""What is kept of an image of virtual machines: its folder, and what is known of it.

<data>/images/<reference>/
  disk.qcow2         the baked disk, packed
  image.json         the record; written last, so a folder without it is no image
  libvirt.box  virtualbox.box
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labctl.errors import LabError
from labctl.workdir import write_json

FORMAT = 1
DISK = "disk.qcow2"
RECORD = "image.json"


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image: its name, bytes, and SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an image.

    `role` is a role or 'base', `created` RFC 3339, `packages` the label of
    `labctl.imageplan.render_label`, `boot` the boot gate's figures (empty for a base), `boxes`
    the boxes that were made of it, by provider.
    """

    reference: str
    role: str
    created: str
    disk: File
    packages: str = ""
    boot: Mapping[str, Any] = field(default_factory=dict)
    boxes: Mapping[str, File] = field(default_factory=dict)


def images_dir() -> Path:
    """Where disks are kept: they outlive labs and checkouts."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "labctl" / "images"


def folder_of(reference: str) -> Path:
    """The folder of an image, whether it is there or not."""
    return images_dir() / reference


def save_record(record: Record) -> None:
    """Write the record; from now on there is such an image."""
    write_json(folder_of(record.reference) / RECORD, {"format": FORMAT, **asdict(record)})


def load_record(reference: str) -> Record:
    """Read the record.  Errors: LabError where there is no such image."""
    path = folder_of(reference) / RECORD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.pop("format") != FORMAT:
            raise ValueError("another format")
        data["disk"] = File(**data["disk"])
        data["boxes"] = {name: File(**file) for name, file in data["boxes"].items()}
        return Record(**data)
    except FileNotFoundError:
        raise LabError(
            f"There is no image '{reference}'.", hint="'labctl build' makes it."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"'{path}' cannot be read: {error}.",
            hint=f"Remove '{path.parent}'; 'labctl build' makes the image anew.",
        ) from error


def load_records() -> list[Record]:
    """Every image that is whole, the newest first."""
    found = []
    for path in images_dir().glob(f"*/{RECORD}"):
        try:
            found.append(load_record(path.parent.name))
        except LabError:
            # `verify` and `make` of that image say what is wrong with it.
            continue
    return sorted(found, key=lambda record: record.created, reverse=True)
