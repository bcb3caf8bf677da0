"""An image of virtual machines on disk: its folder, and its record.

<data>/images/<reference>/
  disk.qcow2         the baked disk, packed
  image.json         the record; written last, so a folder without it is not an image
  libvirt.box  virtualbox.box
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.state import Flaw, StateError, StateKind, load_state, save_state
from labctl.core.user import ensure_home

FORMAT = 1
DISK = "disk.qcow2"
RECORD = "image.json"


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image: its name, size in bytes, and SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """The record of an image.

    `role` is a role or 'base', `created` is in RFC 3339, `packages` is the label from
    `labctl.images.plan.render_label`, `boot` has the boot check's figures (empty for a base), and
    `boxes` the boxes that were made from it, by provider.
    """

    reference: str
    role: str
    created: str
    disk: File
    packages: str = ""
    boot: Mapping[str, Any] = field(default_factory=dict)
    boxes: Mapping[str, File] = field(default_factory=dict)


def images_dir() -> Path:
    """The folder of disks, which outlive labs and checkouts."""
    base = os.environ.get("XDG_DATA_HOME") or str(ensure_home() / ".local" / "share")
    return Path(base) / "labctl" / "images"


def folder_of(reference: str) -> Path:
    """The folder of an image, whether it exists or not."""
    return images_dir() / reference


def save_record(record: Record) -> None:
    """Write the record; from now on the image exists."""
    path = folder_of(record.reference) / RECORD
    save_state(path, record_kind(path.parent), to_plain(record))


def load_record(reference: str) -> Record:
    """Read the record.  Errors: LabError if there is no such image; StateError."""
    path = folder_of(reference) / RECORD
    try:
        return load_state(path, record_kind(path.parent))
    except StateError as error:
        if error.flaw is not Flaw.MISSING:
            raise
        raise LabError(
            f"There is no image '{reference}'.", hint="'labctl build' makes it."
        ) from None


def record_kind(folder: Path) -> StateKind[Record]:
    """The kind of state file of the record in an image's folder."""
    anew = f"Remove '{folder}'; 'labctl build' makes the image again."
    parse = partial(from_plain, Record)
    return StateKind(format=FORMAT, parse=parse, remedy=anew, outgrown=anew)


def load_records() -> list[Record]:
    """Every complete image, the newest first."""
    found = []
    for path in images_dir().glob(f"*/{RECORD}"):
        try:
            found.append(load_record(path.parent.name))
        except LabError:
            # `verify` and `make` of that image say what is wrong with it.
            continue
    return sorted(found, key=lambda record: record.created, reverse=True)
