"""Local .deb files: their control data, and a flat apt repository made of them."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError, PackageError

REPOSITORY_ORIGIN = "labctl"
"""`Origin` of the repositories that `write_repository` makes; apt pins refer to it."""


AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60


CONTROL_BYTES, CONTROL_SECONDS = 16 << 20, 10
"""The most that the control archive of a package may hold, and take to be unpacked."""

# What a field of a control file may hold (Debian policy 5.6): these become names of files.
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
VERSION = re.compile(r"[0-9][A-Za-z0-9.+~:-]*")
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")


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
    """The control file in a .deb; None if it is not a readable Debian package.

    It is one stanza: a second one would be another package in the index of a repository.
    """
    command = bounded(["dpkg-deb", "--field", path], size=CONTROL_BYTES, seconds=CONTROL_SECONDS)
    result = process.run(command, check=False, timeout=6 * CONTROL_SECONDS)
    text = result.output.strip("\n")
    lines = text.splitlines()
    whole = result.code == 0 and bool(lines) and all(line.strip() for line in lines)
    return f"{text}\n" if whole else None


def bounded(argv: Sequence[str | Path], *, size: int, seconds: int) -> list[str | Path]:
    """The command that runs another with bounds: no file larger than `size` bytes, and at most
    `seconds` of processor time.  A few kilobytes can hold an archive of terabytes."""
    return ["prlimit", f"--fsize={size}", f"--cpu={seconds}", "--", *argv]


def control_field(control: str, name: str) -> str:
    """A one-line field of a control file; empty if it is missing."""
    for line in control.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.lower() == name.lower():
            return value.strip()
    return ""


@dataclass(frozen=True, slots=True)
class DebSet:
    """Packages from local files, one version of each, and a note on the choice for the user."""

    debs: tuple[Deb, ...]
    notes: tuple[str, ...] = ()


def load_debs(folder: Path, *, architecture: str) -> DebSet:
    """Every package below `folder`, by name; of several versions, the newest.

    Files that macOS adds (`._*`) are ignored.  Errors: LabError if the folder does not exist or has
    no .deb file, or if a file is not a readable package or is for another processor; the error
    names the files.
    """
    if not folder.is_dir():
        raise LabError(
            f"The package folder '{folder}' does not exist.",
            hint="'packages.path' names a folder that holds .deb files.",
        )
    files = sorted(path for path in folder.rglob("*.deb") if not path.name.startswith("."))
    if not files:
        raise LabError(f"The package folder '{folder}' has no .deb files.")
    return load_files(files, architecture=architecture)


def load_files(files: Sequence[Path], *, architecture: str) -> DebSet:
    """The packages in these files, by name; of several versions, the newest.

    Errors: those of `load_debs`; PackageError if the packages are at fault.
    """
    missing = [f"'{path}'" for path in files if not path.is_file()]
    if missing:
        raise LabError(f"These package files do not exist: {', '.join(missing)}.")
    controls = {path: read_control(path) for path in files}
    _refuse_damaged({path: find_damage(path, control) for path, control in controls.items()})
    debs = [_deb(path, control) for path, control in controls.items() if control]
    _refuse_damaged({deb.file: _bad_field(deb) for deb in debs})
    foreign = [deb.file for deb in debs if deb.architecture not in ("all", architecture)]
    _refuse(f"are not for this machine's architecture '{architecture}'", foreign)
    return _newest_of_each(debs)


def write_repository(folder: Path, debs: Iterable[Deb]) -> None:
    """Make `folder` a flat apt repository with `debs`, for use with `trusted=yes`."""
    folder.mkdir(parents=True)
    stanzas = []
    for deb in debs:
        # Under a name of ours: apt takes blanks and '%' in file names for something else.
        version = re.sub(r"[^\w.+~-]", "_", deb.version)
        copy = folder / f"{deb.name}_{version}_{deb.architecture}.deb"
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


def _bad_field(deb: Deb) -> str | None:
    for field, text, pattern in (
        ("name", deb.name, NAME),
        ("version", deb.version, VERSION),
        ("architecture", deb.architecture, ARCHITECTURE),
    ):
        if not pattern.fullmatch(text):
            return f"{text!r} is not a valid {field} of a package"
    return None


def _refuse(reason: str, files: list[Path]) -> None:
    if files:
        names = ", ".join(f"'{path.name}'" for path in files)
        raise PackageError(f"Files in '{files[0].parent}' {reason}: {names}.")


def _refuse_damaged(found: Mapping[Path, str | None]) -> None:
    """Refuse files that are not whole packages, and say what is wrong with each."""
    damaged = {path: damage for path, damage in found.items() if damage}
    if damaged:
        lines = "".join(f"\n    '{path.name}': {damage}" for path, damage in damaged.items())
        raise PackageError(
            f"Files in '{next(iter(damaged)).parent}' cannot be read as Debian packages:{lines}",
            hint="Copy or build them again.",
        )


def find_damage(path: Path, control: str | None) -> str | None:
    """Why a file is not a whole package, and where it is cut off.  None for a good one.

    dpkg can read the control file of a package whose data are cut off, and fails only when it
    installs it.  The format is ar(5): a magic text, then members, each with a header of 60 bytes
    that says at offset 48 how many bytes follow (an odd number is padded).
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(AR_MAGIC)) != AR_MAGIC:
            return "it does not start like a package"
        position = len(AR_MAGIC)
        while position < end:
            file.seek(position)
            header = file.read(AR_HEADER)
            if len(header) < AR_HEADER:
                return f"it is cut off after byte {end}, in a member's header"
            name, size = header[:16].decode("latin-1").strip(" /"), header[48:58].strip()
            if not size.isdigit():
                return f"its member at byte {position} has no length"
            position += AR_HEADER + int(size)
            if position > end:
                return f"it is cut off after byte {end}: '{name}' should end at byte {position}"
            position += position % 2
    return None if control else "its control file cannot be read"


def _newest_of_each(debs: list[Deb]) -> DebSet:
    by_name: dict[str, list[Deb]] = defaultdict(list)
    for deb in debs:
        by_name[deb.name].append(deb)
    kept: list[Deb] = []
    notes: list[str] = []
    for name, found in sorted(by_name.items()):
        newest = found[0]
        for deb in found[1:]:
            newest = deb if is_newer(deb.version, newest.version) else newest
        kept.append(newest)
        passed = sorted({deb.version for deb in found} - {newest.version})
        if passed:
            notes.append(
                f"'{name}' has several versions: {newest.version} is used, not {', '.join(passed)}."
            )
    return DebSet(tuple(kept), tuple(notes))


def is_newer(version: str, than: str) -> bool:
    """Whether a Debian version is newer than another, by dpkg's own rules."""
    words = ["dpkg", "--compare-versions", version, "gt", than]
    return process.run(words, check=False).code == 0
