"""Vagrant boxes: made of a disk, and registered with Vagrant, which keeps a copy of its own."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl import process
from labctl.errors import LabError
from labctl.model import Provider
from labctl.vm.archive import digest, write_archive
from labctl.vm.disk import SIZE_MIB
from labctl.vm.record import DISK, File, Record, folder_of, save_record
from labctl.workdir import write_json

BOX_SECONDS = 600.0
VERSION = "1.0.0"
"""Of every box: another content has another name."""

VAGRANT_ENV = {
    "VAGRANT_CHECKPOINT_DISABLE": "1",
    "VAGRANT_NO_COLOR": "1",
    # Boxes are nobody's project: no Vagrantfile of whatever folder this is takes part.
    "VAGRANT_VAGRANTFILE": "labctl-has-none-here",
}

LIBVIRT_VAGRANTFILE = """\
# frozen_string_literal: true

# A disk of labctl.  It has no identity: without a seed (docs/providers.md) nobody can log in.
Vagrant.configure("2") do |config|
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.ssh.insert_key = false
end
"""


def box_file(record: Record, provider: Provider) -> Path:
    """Where the box of an image lies, whether it is there or not."""
    return folder_of(record.reference) / f"{provider}.box"


def make_libvirt_box(record: Record, scratch: Path, log: Path) -> None:
    """Make the libvirt box of an image, in the form that vagrant-libvirt documents.

    A tar of the qcow2 as it is, for it is packed already.  Errors: LabError.
    """
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": SIZE_MIB // 1024}
    files = {"metadata.json": json.dumps(metadata) + "\n", "Vagrantfile": LIBVIRT_VAGRANTFILE}
    for name, text in files.items():
        (scratch / name).write_text(text, encoding="utf-8")
    parts = {name: scratch / name for name in files}
    parts["box.img"] = folder_of(record.reference) / DISK
    write_archive(parts, target=box_file(record, Provider.LIBVIRT))


def register(record: Record, provider: Provider, *, log: Path) -> Record:
    """Give a box that was made to Vagrant and note it; the record with the box in it.

    One of the same name is replaced: a registration that was cut off is no obstacle.
    """
    box = box_file(record, provider)
    file = File(box.name, box.stat().st_size, digest(box))
    catalogue = box.with_suffix(".json")
    write_json(catalogue, _catalogue(record.reference, provider, box=box, sha256=file.sha256))
    process.run(
        ["vagrant", "box", "add", "--force", "--provider", provider, catalogue],
        env=VAGRANT_ENV,
        log=log,
        timeout=BOX_SECONDS,
        hint="'labctl build' tries again; 'df -h' shows whether the disk is full.",
    )
    catalogue.unlink()
    noted = replace(record, boxes={**record.boxes, str(provider): file})
    save_record(noted)
    return noted


def _catalogue(reference: str, provider: Provider, *, box: Path, sha256: str) -> dict[str, Any]:
    """What Vagrant wants to know of a box that has a version; it compares the checksum."""
    there = {
        "name": str(provider),
        "url": box.resolve().as_uri(),
        "checksum_type": "sha256",
        "checksum": sha256,
    }
    return {"name": reference, "versions": [{"version": VERSION, "providers": [there]}]}


def registered(reference: str, provider: Provider) -> Path | None:
    """The folder in which Vagrant keeps a box, None where it has none.

    Vagrant 2.4 has a folder for the architecture between version and provider, older ones not.
    """
    boxes = vagrant_home() / "boxes" / reference
    for pattern in (f"*/{provider}", f"*/*/{provider}"):
        for folder in boxes.glob(pattern):
            if (folder / "metadata.json").is_file():
                return folder
    return None


def unregister(reference: str, provider: Provider) -> None:
    """Make Vagrant forget a box.  Errors: LabError when a machine still stands on it."""
    if registered(reference, provider) is None:
        return
    remove = ["vagrant", "box", "remove", "--force", "--all", "--provider", provider, reference]
    try:
        process.run(remove, env=VAGRANT_ENV, timeout=BOX_SECONDS)
    except process.ProcessError as error:
        raise LabError(f"Vagrant keeps the box '{reference}': {error.message}") from error


def vagrant_home() -> Path:
    """Where Vagrant keeps boxes."""
    return Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
