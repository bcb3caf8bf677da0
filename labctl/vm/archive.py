"""Boxes as archives: the same files make the same bytes, and there is all of it or nothing."""

from __future__ import annotations

import tarfile
from hashlib import file_digest
from pathlib import Path

from labctl.errors import LabError

MTIME = 1767225600
"""Time of every file in a box."""


def write_archive(files: dict[str, Path], *, target: Path) -> None:
    """Files by their names in a tar without times and owners of this machine; renamed last.

    Errors: LabError when it cannot be written.
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
            hint=f"Look at 'df -h {target.parent}'; 'labctl images prune' makes room.",
        ) from error


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime, entry.mode = MTIME, 0o644
    return entry
