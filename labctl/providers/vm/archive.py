"""Boxes as archives: the same files give the same bytes, and a box is complete or absent."""

from __future__ import annotations

import tarfile
from hashlib import file_digest
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import Progress

BLOCK = 1 << 22
TOLD_PERCENT = 10

MTIME = 1767225600
"""The time stamp of every file in a box."""


def write_archive(files: dict[str, Path], *, target: Path) -> None:
    """Write files by name to a tar, without this machine's times and owners; it is renamed last.

    Errors: LabError if it cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as archive:
            for name, file in files.items():
                archive.add(file, arcname=name, filter=_plain)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LabError(
            f"The box '{target}' cannot be written: {error.strerror or error}.",
            hint=f"Check 'df -h {target.parent}'; 'labctl images prune' frees space.",
        ) from error


def copy_file(source: Path, target: Path, progress: Progress) -> None:
    """Copy a large file; progress says every so often how much is there.  Errors: OSError."""
    size, done, told = source.stat().st_size, 0, 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(BLOCK):
            writer.write(block)
            done += len(block)
            if (percent := 100 * done // max(1, size)) >= told + TOLD_PERCENT:
                told = percent
                progress("archives", f"'{source.name}': {percent} % of {size // 1_000_000} MB")


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime, entry.mode = MTIME, 0o644
    return entry
