"""The store of virtual machines' images: one set of disks, and a box of each disk per provider.

A disk is baked once for all providers; see `labctl.images.store.ImageStore` for the methods.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.host.install import ensure_host
from labctl.images.bakework import fresh_log, scratch_folder
from labctl.images.contents import STATUS, DebPackage, parse_status
from labctl.images.packages import PackageSet
from labctl.images.plan import (
    ImageKind,
    ImagePlan,
    Installed,
    packages_to_json,
    parse_label,
    plan_images,
)
from labctl.images.rootfs import SCRATCH
from labctl.images.store import BASE, Archive, Image
from labctl.providers.vm.archive import copy_file, digest
from labctl.providers.vm.boxes import box_file, register, registered
from labctl.providers.vm.formats import FORMATS, forget
from labctl.providers.vm.inside import read_file
from labctl.providers.vm.make import make_disks
from labctl.providers.vm.needs import DISK_IMAGES
from labctl.providers.vm.record import (
    DISK,
    File,
    Record,
    folder_of,
    images_dir,
    load_record,
    load_records,
)
from labctl.topology.spec import ProviderName, Role


@dataclass(frozen=True, slots=True)
class DiskStore:
    """The disks as one provider sees them: an image is ready if Vagrant has that provider's box."""

    provider: ProviderName

    @property
    def kind(self) -> ImageKind:
        return ImageKind.DISK

    def folder(self) -> Path:
        return images_dir()

    def ensure_tools(self, progress: Progress) -> None:
        # No daemon, and neither libvirt nor VirtualBox: boxes may be for other machines.
        ensure_host(DISK_IMAGES, progress=progress)

    def local(self) -> frozenset[str]:
        return frozenset(record.reference for record in load_records() if self._ready(record))

    def plan(
        self, roles: Iterable[Role], packages: PackageSet, *, architecture: str, release: str
    ) -> ImagePlan:
        return plan_images(self.kind, roles, packages, architecture=architecture, release=release)

    def make(
        self,
        plan: ImagePlan,
        missing: Sequence[Role],
        *,
        remake_base: bool,
        force: bool,
        cache: Path,
        logs: Path,
        progress: Progress,
        jobs: int,
    ) -> None:
        # A disk that exists (made for another provider, or copied from another machine) may lack
        # only this provider's box, and needs no base for that.
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
                problems.append(f"qemu-img reports a damaged disk: {check.errors.strip()}")
        problems += [
            f"Vagrant does not have the box of '{provider}'."
            for provider in record.boxes
            if registered(reference, ProviderName(provider)) is None
        ]
        if record.role != BASE and not record.boot:
            problems.append("It has never booted.")
        return problems

    def installed(self, reference: str) -> tuple[DebPackage, ...]:
        with scratch_folder(SCRATCH) as scratch:
            return parse_status(read_file(folder_of(reference) / DISK, STATUS, scratch=scratch))

    def archives(self, references: Sequence[str]) -> Sequence[Archive]:
        records = [load_record(name) for name in sorted(set(references))]
        boxes = [box_file(record, self.provider) for record in records]
        return [
            Archive(
                f"{record.reference}.box", (record.reference,), box.stat().st_size,
                partial(copy_file, box),
            )
            for record, box in zip(records, boxes, strict=True)
        ]  # fmt: skip

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
        progress("images", f"box for {self.provider}: {size} MB, added to Vagrant", node=role)


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
        return f"'{path}' has changed since it was made: its SHA-256 is different."
    return None
