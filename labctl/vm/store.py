"""The store of virtual machines' images: one set of disks, and a box of each for a provider.

The disk is baked once, whatever runs it; see `labctl.imagestore.ImageStore` for the methods.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl import hostneeds, process
from labctl.bakework import fresh_log, scratch_folder
from labctl.capabilities import ImageKind
from labctl.errors import LabError
from labctl.host import ensure_host
from labctl.imageplan import Installed, Plan, packages_to_json, parse_label, plan_images
from labctl.imagestore import BASE, Image
from labctl.model import Provider, Role
from labctl.packages import PackageSet
from labctl.progress import Progress
from labctl.tree import SCRATCH
from labctl.vm.archive import digest
from labctl.vm.boxes import register, registered
from labctl.vm.formats import FORMATS, forget
from labctl.vm.make import make_disks
from labctl.vm.record import DISK, File, Record, folder_of, images_dir, load_record, load_records


@dataclass(frozen=True, slots=True)
class DiskStore:
    """The disks, seen by one provider: ready is what Vagrant has that provider's box of."""

    provider: Provider

    @property
    def kind(self) -> ImageKind:
        return ImageKind.DISK

    def ensure_tools(self, progress: Progress) -> None:
        # No daemon, and neither libvirt nor VirtualBox: boxes are made for other machines, too.
        ensure_host(hostneeds.DISK_IMAGES, progress=progress)

    def local(self) -> frozenset[str]:
        return frozenset(record.reference for record in load_records() if self._ready(record))

    def plan(self, roles: Iterable[Role], packages: PackageSet, *, architecture: str) -> Plan:
        return plan_images(self.kind, roles, packages, architecture=architecture)

    def make(
        self,
        plan: Plan,
        missing: Sequence[Role],
        *,
        remake_base: bool,
        force: bool,
        cache: Path,
        logs: Path,
        progress: Progress,
        jobs: int,
    ) -> None:
        # A disk that is there (made for another provider, or brought from another machine) and
        # lacks this provider's box only needs that, and no base.
        disks = {record.reference for record in load_records()}
        bake = [role for role in missing if force or plan.roles[role] not in disks]
        if bake:
            make_disks(plan, bake, remake_base=remake_base, logs=logs, progress=progress, jobs=jobs)
        for role in missing:
            self._make_box(plan.roles[role], role, logs=logs, progress=progress)

    def packages(self, reference: str) -> dict[str, Installed]:
        return parse_label(load_record(reference).packages)

    def list(self) -> Sequence[Image]:
        return [_image(record) for record in load_records()]

    def remove(self, images: Iterable[Image]) -> Sequence[Image]:
        removed = []
        for image in images:
            try:
                forget(load_record(image.reference))
            except LabError:
                continue
            shutil.rmtree(folder_of(image.reference), ignore_errors=True)
            removed.append(image)
        return removed

    def clean(self) -> Sequence[str]:
        gone = []
        for folder in images_dir().glob("*"):
            if folder.is_dir() and not (folder / "image.json").is_file():
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(f"folder {folder}")
        return gone

    def verify(self, reference: str) -> Sequence[str]:
        try:
            record = load_record(reference)
        except LabError as error:
            return [error.message]
        problems = [
            problem
            for file in (record.disk, *record.boxes.values())
            if (problem := _file_problem(folder_of(reference), file))
        ]
        if not problems:
            check = process.run(
                ["qemu-img", "check", "-q", folder_of(reference) / DISK], check=False, timeout=300
            )
            if check.code != 0:
                problems.append(f"qemu-img finds the disk damaged: {check.errors.strip()}")
        problems += [
            f"Vagrant does not have the box of '{provider}'."
            for provider in record.boxes
            if registered(reference, Provider(provider)) is None
        ]
        if record.role != BASE and not record.boot:
            problems.append("It has never booted.")
        return problems

    def show(self, reference: str) -> dict[str, Any]:
        record = load_record(reference)
        folder = folder_of(reference)
        files = [record.disk, *record.boxes.values()]
        return {
            "reference": reference,
            "role": record.role,
            "created": record.created,
            "size": sum(file.bytes for file in files),
            "files": [
                {"path": str(folder / file.name), "bytes": file.bytes, "sha256": file.sha256}
                for file in files
            ],
            "boot": dict(record.boot),
            "packages": packages_to_json(parse_label(record.packages)),
        }

    def _ready(self, record: Record) -> bool:
        if record.role == BASE:
            return True
        return (
            str(self.provider) in record.boxes
            and registered(record.reference, self.provider) is not None
        )

    def _make_box(self, reference: str, role: Role, *, logs: Path, progress: Progress) -> None:
        record = load_record(reference)
        log = fresh_log(logs / f"box-{self.provider}-{role}.log")
        with scratch_folder(SCRATCH) as scratch:
            FORMATS[self.provider].make(record, scratch, log)
        record = register(record, self.provider, log=log)
        size = record.boxes[str(self.provider)].bytes // 1_000_000
        progress("images", f"box for {self.provider}: {size} MB, given to Vagrant", node=role)


def _image(record: Record) -> Image:
    size = sum(file.bytes for file in (record.disk, *record.boxes.values()))
    return Image(record.reference, record.role, record.created, size)


def _file_problem(folder: Path, file: File) -> str | None:
    path = folder / file.name
    if not path.is_file():
        return f"'{path}' is missing."
    if path.stat().st_size != file.bytes:
        return f"'{path}' has {path.stat().st_size} bytes, not {file.bytes}."
    if digest(path) != file.sha256:
        return f"'{path}' is not what was made: its SHA-256 is another."
    return None
