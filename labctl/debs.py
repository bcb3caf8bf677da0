"""Local .deb files: what they say of themselves, and a flat apt repository made of them."""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.errors import LabError, PackageError

REPOSITORY_ORIGIN = "labctl"
"""`Origin` of the repositories that `write_repository` makes; apt pins go by it."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A Debian package in a file of this machine."""

    name: str
    version: str
    architecture: str
    file: Path
    sha256: str


def host_architecture() -> str:
    """Debian's word for this machine's processor, such as 'amd64'."""
    return process.run(["dpkg", "--print-architecture"]).output.strip()


def read_control(path: Path) -> str | None:
    """The control file in a .deb, None where it is no readable Debian package."""
    result = process.run(["dpkg-deb", "--field", path], check=False)
    return result.output if result.code == 0 and result.output.strip() else None


def control_field(control: str, name: str) -> str:
    """A field of one line of a control file, empty where it is missing."""
    for line in control.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.lower() == name.lower():
            return value.strip()
    return ""


def load_debs(folder: Path, *, architecture: str) -> tuple[Deb, ...]:
    """Every package in `folder`, by name.

    Errors: LabError when there is no such folder, it has no .deb file, a file is no readable
    package or is for another processor, or a package is there twice; each names the files.
    """
    if not folder.is_dir():
        raise LabError(
            f"The folder of packages '{folder}' does not exist.",
            hint="'packages.path' names a folder that holds .deb files.",
        )
    files = sorted(folder.glob("*.deb"))
    if not files:
        raise LabError(f"The folder of packages '{folder}' holds no .deb file.")
    return load_files(files, architecture=architecture)


def load_files(files: Sequence[Path], *, architecture: str) -> tuple[Deb, ...]:
    """The packages in these files, by name.

    Errors: as `load_debs`; PackageError where the packages are at fault.
    """
    missing = [f"'{path}'" for path in files if not path.is_file()]
    if missing:
        raise LabError(f"These files of packages do not exist: {', '.join(missing)}.")
    controls = {path: read_control(path) for path in files}
    _refuse("cannot be read as Debian packages", [path for path in files if not controls[path]])
    debs = [_deb(path, control) for path, control in controls.items() if control]
    foreign = [deb.file for deb in debs if deb.architecture not in ("all", architecture)]
    _refuse(f"are not for this machine's architecture '{architecture}'", foreign)
    _refuse_doubles(debs)
    return tuple(sorted(debs, key=lambda deb: deb.name))


def write_repository(folder: Path, debs: Iterable[Deb]) -> None:
    """Make `folder` a flat apt repository that holds `debs` (to be used with `trusted=yes`)."""
    folder.mkdir(parents=True)
    stanzas = []
    for deb in debs:
        copy = folder / deb.file.name
        shutil.copyfile(deb.file, copy)
        control = read_control(copy) or ""
        stanzas.append(
            f"{control.rstrip()}\nFilename: ./{copy.name}\n"
            f"Size: {copy.stat().st_size}\nSHA256: {deb.sha256}\n"
        )
    index = "\n".join(stanzas).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Release").write_text(
        f"Origin: {REPOSITORY_ORIGIN}\nLabel: {REPOSITORY_ORIGIN}\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n",
        encoding="utf-8",
    )


def _deb(path: Path, control: str) -> Deb:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name, version, architecture = (
        control_field(control, field) for field in ("Package", "Version", "Architecture")
    )
    return Deb(name, version, architecture, path, digest)


def _refuse(reason: str, files: list[Path]) -> None:
    if files:
        names = ", ".join(f"'{path.name}'" for path in files)
        raise PackageError(f"Files in '{files[0].parent}' {reason}: {names}.")


def _refuse_doubles(debs: list[Deb]) -> None:
    by_name = defaultdict(list)
    for deb in debs:
        by_name[deb.name].append(deb)
    doubles = [
        f"'{name}': " + ", ".join(f"'{deb.file.name}' ({deb.version})" for deb in found)
        for name, found in sorted(by_name.items())
        if len(found) > 1
    ]
    if doubles:
        raise PackageError(
            f"The folder '{debs[0].file.parent}' holds packages more than once: "
            + "; ".join(doubles)
            + ".",
            hint="Leave one file of each, so that it is clear what is under test.",
        )
