"""From a spec to a bundle.

Everything is written to a folder beside the wanted one and renamed last, so a bundle is complete or
not there.  The large files of an interrupted run are used again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from labctl import __version__
from labctl.bundle.content import Contents, fresh_lab, put_lab, put_texts
from labctl.bundle.disk import REASONS, cannot_write, check_space, tell_large, writing
from labctl.bundle.model import (
    ARCHIVES,
    BUNDLE,
    BUNDLE_FILE,
    SBOM_FILE,
    SUMS_FILE,
    Bundle,
    BundleImage,
    LockedPackage,
)
from labctl.bundle.verify import render_sums
from labctl.core.errors import LabError, UsageError
from labctl.core.files import write_json
from labctl.core.plain import to_plain
from labctl.core.process import ProcessError
from labctl.core.progress import Progress
from labctl.core.state import save_state
from labctl.images.packages import PackageOrigin
from labctl.images.plan import Installed
from labctl.images.store import Archive, ImageStore
from labctl.lab.machines import ensure_images_of
from labctl.providers.table import provider_of
from labctl.providers.vm.archive import digest
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Role, Spec

JOURNAL = ".finished.json"
"""In an unfinished bundle: the archives that are complete, with their checksums."""


def make_bundle(spec: Spec, *, target: Path, progress: Progress) -> Bundle:
    """Write the lab of a spec, whose provider is settled, to the folder `target`.

    Images that are missing are baked.  Errors: UsageError if the folder cannot be used, LabError
    that names the file that could not be written; the same call then continues.
    """
    check_target(target)
    if spec.network == AUTO_NETWORK:
        hint = "Give one that is free where the lab will run, such as 192.168.60.0/24."
        raise UsageError("A bundle needs a network by its address, not 'auto'.", hint=hint)
    part = part_of(target)
    with writing(part):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder that an earlier run left may be on a disk that is read-only now.
        (part / JOURNAL).touch(mode=0o644)
    store = provider_of(spec.provider).images
    store.ensure_tools(progress)
    topology = resolve(spec).with_images(ensure_images_of(spec, progress=progress))
    references = tuple(dict.fromkeys(node.image for node in topology.nodes))
    archives = store.archives(references)
    _clean(part, keep={archive.name for archive in archives})
    contents = Contents(part)
    _put_archives(contents, archives, progress=progress)
    bundle = _fill(contents, topology, _lock(topology, store, archives), progress=progress)
    progress("bundle", "waiting until the disk has everything")
    os.sync()
    with writing(target):
        (part / JOURNAL).unlink(missing_ok=True)
        part.replace(target)
    return bundle


def part_of(target: Path) -> Path:
    """The folder of a bundle that is not finished yet."""
    return target.with_name(f".{target.name}.part")


def check_target(target: Path) -> None:
    """Refuse a folder that cannot become a bundle.  Errors: UsageError."""
    if target.is_mount():
        raise UsageError(
            f"'{target}' is a whole disk.", hint=f"Give a folder on it: '{target / 'lab'}'."
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"'{target}' exists and is not an empty folder.",
            hint="Remove it, or give another name.",
        )


def _clean(part: Path, *, keep: set[str]) -> None:
    """Remove what an earlier run left, except for archives that are still wanted."""
    with writing(part):
        for path in part.iterdir():
            if path.name not in (ARCHIVES, JOURNAL):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (part / ARCHIVES).glob("*"):
            if path.name not in keep:
                path.unlink()


def _put_archives(contents: Contents, archives: Sequence[Archive], *, progress: Progress) -> None:
    folder = contents.folder / ARCHIVES
    finished = _load_journal(contents.folder)
    missing = [archive for archive in archives if not _is_whole(folder, archive.name, finished)]
    check_space(contents.folder, needed=sum(archive.least_bytes for archive in missing))
    for archive in archives:
        if archive not in missing:
            progress("archives", f"'{archive.name}' is there already")
        else:
            _write(archive, folder / archive.name, progress=progress)
        contents.add(f"{ARCHIVES}/{archive.name}")
        finished[archive.name] = contents.files[f"{ARCHIVES}/{archive.name}"].sha256
        write_json(contents.folder / JOURNAL, finished)
        tell_large(folder / archive.name, progress=progress)


def _write(archive: Archive, target: Path, *, progress: Progress) -> None:
    new = target.with_name(f"{target.name}.new")
    try:
        with writing(target):
            target.parent.mkdir(exist_ok=True)
            new.unlink(missing_ok=True)
            archive.write(new, progress)
            new.chmod(0o644)
            new.replace(target)
    except LabError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise _reason(target, error) from error


def _reason(target: Path, error: LabError) -> LabError:
    """A program that wrote the file tells the system's reason in its own text."""
    if isinstance(error, ProcessError):
        for number in REASONS:
            if os.strerror(number).lower() in error.message.lower():
                return cannot_write(target, OSError(number, os.strerror(number)))
    return error


def _load_journal(part: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((part / JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _is_whole(folder: Path, name: str, finished: Mapping[str, str]) -> bool:
    try:
        return name in finished and digest(folder / name) == finished[name]
    except OSError:
        return False


def _lock(
    topology: Topology, store: ImageStore, archives: Sequence[Archive]
) -> dict[str, BundleImage]:
    """What each image holds, and which archive holds the image."""
    held = {name: f"{ARCHIVES}/{archive.name}" for archive in archives for name in archive.images}
    roles: dict[str, Role] = {node.image: node.role for node in topology.nodes}
    return {
        reference: BundleImage(role, held[reference], _packages(store, reference))
        for reference, role in roles.items()
    }


def _packages(store: ImageStore, reference: str) -> tuple[LockedPackage, ...]:
    known = store.packages(reference)
    return tuple(
        LockedPackage(one.name, one.version, one.architecture, _origin(known.get(one.name)))
        for one in store.installed(reference)
    )


def _origin(known: Installed | None) -> str:
    if known is None:
        return str(PackageOrigin.DEBIAN)
    return str(PackageOrigin.STAND_INS if known.stand_in else known.origin)


def _fill(
    contents: Contents,
    topology: Topology,
    images: Mapping[str, BundleImage],
    *,
    progress: Progress,
) -> Bundle:
    """Write everything that is small; `bundle.json` comes after all that it lists."""
    # Late, because importing it takes a quarter of a second.
    from labctl.bundle.sbom import render_sbom

    progress("bundle", "new keys and secrets, and what each node places")
    with fresh_lab(topology) as lab:
        parts = put_lab(contents, lab)
    bundle = Bundle(
        id=str(uuid4()),
        lab=topology.lab,
        provider=topology.provider,
        debian=topology.spec.debian,
        labctl=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        images=images,
        files=(),
        machines=parts.machines,
    )
    put_texts(contents, bundle, topology)
    contents.put(SBOM_FILE, render_sbom(bundle))
    bundle = replace(bundle, files=tuple(contents.files.values()))
    save_state(contents.folder / BUNDLE_FILE, BUNDLE, to_plain(bundle))
    contents.add(BUNDLE_FILE)
    sums = {path: file.sha256 for path, file in contents.files.items()}
    contents.put(SUMS_FILE, render_sums(sums))
    return bundle
