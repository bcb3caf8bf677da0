"""Writing a bundle to a disk that may be full, read-only, broken, or too old for large files."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress

FAT_LIMIT = 4 * 1024**3 - 1
"""The largest file that FAT32 takes, in bytes."""

GIB = 1024**3
MEGABYTE = 1_000_000

REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space there; the same command then continues."),
    errno.EDQUOT: ("your quota is used up", "Free some space; the same command then continues."),
    errno.EROFS: ("the disk is read-only", "Remove its write protection, or take another one."),
    errno.EFBIG: ("the disk takes no file that large", "Format it with exFAT instead of FAT32."),
    errno.EIO: ("the disk is broken or was taken out", "Use another one."),
    errno.EACCES: ("this user may not write there", "Give another folder."),
}


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Errors of the system while a file is written become a LabError that names it."""
    try:
        yield
    except OSError as error:
        raise cannot_write(file, error) from error


def cannot_write(file: Path, error: OSError) -> LabError:
    """The error for a file that the system did not let us write."""
    plain = (str(error.strerror or error), None)
    said, hint = REASONS.get(error.errno or 0, plain)
    return LabError(f"'{file}' cannot be written: {said}.", hint=hint)


def check_space(folder: Path, *, needed: int) -> None:
    """Refuse before anything is written if there is certainly too little space.

    Errors: LabError with what is needed and what is there.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LabError(
            f"The bundle needs at least {needed // MEGABYTE:,} MB, and '{folder}' has"
            f" {free // MEGABYTE:,} MB.",
            hint="Free some space there, or give a folder on another disk.",
        )


def tell_large(file: Path, *, progress: Progress) -> None:
    """Say that FAT32, which most sticks come with, cannot take a file."""
    size = file.stat().st_size
    if size > FAT_LIMIT:
        progress(
            NOTICE,
            f"'{file.name}' has {size / GIB:.1f} GiB. A stick with FAT32 takes no file above 4 GiB:"
            " format it with exFAT, which Windows, macOS and Linux can read.",
        )
