"""What a disk may refuse, in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labctl.bundle.disk import FAT_LIMIT, tell_large, writing
from labctl.core.errors import LabError
from labctl.core.progress import NOTICE


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EFBIG, "the disk takes no file that large"),
        (errno.EIO, "the disk is broken or was taken out"),
        (errno.ENAMETOOLONG, "File name too long"),
    ],
)
def test_the_reason_and_the_file(number: int, said: str) -> None:
    with pytest.raises(LabError) as caught, writing(Path("/stick/lab/images/x.box")):
        raise OSError(number, os.strerror(number))
    assert caught.value.message == f"'/stick/lab/images/x.box' cannot be written: {said}."


@pytest.mark.parametrize(("size", "told"), [(FAT_LIMIT, False), (FAT_LIMIT + 1, True)])
def test_a_file_too_large_for_fat32_is_told(tmp_path: Path, size: int, told: bool) -> None:
    file = tmp_path / "jms.box"
    with file.open("wb") as stream:
        stream.truncate(size)
    notices: list[str] = []

    def note(phase: str, message: str, *, node: str | None = None) -> None:
        assert phase == NOTICE
        notices.append(message)

    tell_large(file, progress=note)
    assert bool(notices) is told
    assert not told or "'jms.box' has 4.0 GiB. A stick with FAT32" in notices[0]
