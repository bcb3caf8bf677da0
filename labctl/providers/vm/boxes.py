"""Vagrant boxes: made from a disk, and registered with Vagrant, which keeps its own copy."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.files import write_json
from labctl.core.user import ensure_home
from labctl.providers.vm.archive import digest, write_archive
from labctl.providers.vm.disk import SIZE_MIB
from labctl.providers.vm.record import DISK, File, Record, folder_of, save_record
from labctl.topology.spec import ProviderName

BOX_SECONDS = 600.0
VERSION = "1.0.0"
"""The version of every box; different content has a different name."""

VAGRANT_ENV = {
    "VAGRANT_CHECKPOINT_DISABLE": "1",
    "VAGRANT_NO_COLOR": "1",
    # Boxes belong to no project, so a Vagrantfile in the current folder must not be used.
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


def box_file(record: Record, provider: ProviderName) -> Path:
    """The path of an image's box, whether it exists or not."""
    return folder_of(record.reference) / f"{provider}.box"


def make_libvirt_box(record: Record, scratch: Path, log: Path) -> None:
    """Make the libvirt box of an image, in the form that vagrant-libvirt documents.

    The tar holds the qcow2 as it is, because it is already compressed.  Errors: LabError.
    """
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": SIZE_MIB // 1024}
    files = {"metadata.json": json.dumps(metadata) + "\n", "Vagrantfile": LIBVIRT_VAGRANTFILE}
    for name, text in files.items():
        (scratch / name).write_text(text, encoding="utf-8")
    parts = {name: scratch / name for name in files}
    parts["box.img"] = folder_of(record.reference) / DISK
    write_archive(parts, target=box_file(record, ProviderName.LIBVIRT))


def register(record: Record, provider: ProviderName, *, log: Path) -> Record:
    """Register a finished box with Vagrant and record it; returns the new record.

    A box of the same name is replaced, so an interrupted registration is no obstacle.
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
        hint="Run 'labctl build' to try again; 'df -h' shows whether the disk is full.",
    )
    catalogue.unlink()
    noted = replace(record, boxes={**record.boxes, str(provider): file})
    save_record(noted)
    return noted


def _catalogue(reference: str, provider: ProviderName, *, box: Path, sha256: str) -> dict[str, Any]:
    """What Vagrant needs to know about a box with a version; it compares the checksum."""
    there = {
        "name": str(provider),
        "url": box.resolve().as_uri(),
        "checksum_type": "sha256",
        "checksum": sha256,
    }
    return {"name": reference, "versions": [{"version": VERSION, "providers": [there]}]}


def registered(reference: str, provider: ProviderName) -> Path | None:
    """The folder in which Vagrant keeps a box; None if it does not have the box.

    Vagrant 2.4 has a folder for the architecture between version and provider; older ones do not.
    """
    boxes = vagrant_home() / "boxes" / reference
    for pattern in (f"*/{provider}", f"*/*/{provider}"):
        for folder in boxes.glob(pattern):
            if (folder / "metadata.json").is_file():
                return folder
    return None


def unregister(reference: str, provider: ProviderName) -> None:
    """Remove a box from Vagrant.  Errors: LabError if a machine still uses it."""
    if registered(reference, provider) is None:
        return
    remove = ["vagrant", "box", "remove", "--force", "--all", "--provider", provider, reference]
    try:
        process.run(remove, env=VAGRANT_ENV, timeout=BOX_SECONDS)
    except process.ProcessError as error:
        raise LabError(f"Vagrant keeps the box '{reference}': {error.message}") from error


def vagrant_home() -> Path:
    """The folder in which Vagrant keeps boxes."""
    return Path(os.environ.get("VAGRANT_HOME") or ensure_home() / ".vagrant.d")
