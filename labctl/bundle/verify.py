"""Whether a bundle is whole: every file is compared with its checksum."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.bundle.model import BUNDLE, BUNDLE_FILE, SUMS_FILE, Bundle, BundleFile
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.state import Flaw, StateError, load_state
from labctl.providers.vm.archive import digest


@dataclass(frozen=True, slots=True)
class FileProblem:
    """What is wrong with a file of a bundle: its path, and the end of a sentence about it."""

    path: str
    said: str

    def __str__(self) -> str:
        return f"'{self.path}' {self.said}."


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What `verify_bundle` found; `notes` are no problems."""

    bundle: Bundle
    problems: tuple[FileProblem, ...]
    notes: tuple[str, ...] = ()


def load_bundle(folder: Path) -> Bundle:
    """The bundle in a folder.  Errors: LabError if there is none, StateError if it is damaged."""
    try:
        return load_state(folder / BUNDLE_FILE, BUNDLE)
    except StateError as error:
        if error.flaw is not Flaw.MISSING:
            raise
        raise LabError(
            f"'{folder}' is not a bundle: it has no '{BUNDLE_FILE}'.",
            hint="'labctl bundle --provider NAME DIR' makes one.",
        ) from None


def verify_bundle(folder: Path, *, progress: Progress) -> BundleReport:
    """Read every file of a bundle and compare it with its checksum.

    Errors: LabError if the folder is not a bundle, StateError if its list of files is damaged.
    """
    bundle = load_bundle(folder)
    problems = list(_listed(folder))
    for number, file in enumerate(bundle.files, 1):
        progress("verify", f"{number}/{len(bundle.files)} '{file.path}'")
        if (said := _problem(folder / file.path, file)) is not None:
            problems.append(FileProblem(file.path, said))
    return BundleReport(bundle, tuple(problems), tuple(_notes(folder, bundle)))


def render_sums(files: dict[str, str]) -> str:
    """Checksums by path, as `sha256sum -c` and `shasum -a 256 -c` read them."""
    return "".join(f"{sha256}  {path}\n" for path, sha256 in files.items())


def _listed(folder: Path) -> Iterator[FileProblem]:
    """The list of files is itself in the sums."""
    try:
        text = (folder / SUMS_FILE).read_text(encoding="ascii")
        if f"{digest(folder / BUNDLE_FILE)}  {BUNDLE_FILE}\n" not in text:
            yield FileProblem(BUNDLE_FILE, f"differs from its checksum in '{SUMS_FILE}'")
    except FileNotFoundError:
        yield FileProblem(SUMS_FILE, "is missing")
    except (OSError, UnicodeDecodeError) as error:
        yield FileProblem(SUMS_FILE, f"cannot be read: {error}")


def _problem(path: Path, wanted: BundleFile) -> str | None:
    try:
        if not path.is_file():
            return "is missing"
        if (size := path.stat().st_size) != wanted.bytes:
            return f"has {size} bytes, not {wanted.bytes}"
        return None if digest(path) == wanted.sha256 else "is damaged"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _notes(folder: Path, bundle: Bundle) -> Iterator[str]:
    """Secrets that others may read: on disks without owners that cannot be changed."""
    secret = [folder / file.path for file in bundle.files if file.secret]
    if os.name == "posix" and any(_is_open(path) for path in secret):
        yield (
            "Other users of this machine can read the lab's keys. Copy the bundle to a disk with"
            " owners, and run 'chmod 700' on its folder."
        )


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False
