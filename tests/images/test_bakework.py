"""Scratch folders of bakes: gone afterwards, but never through what is mounted in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labctl.images import bakework
from labctl.images.bakework import SCRATCH_PREFIX, SCRATCH_SECONDS, mounts_below, scratch_folder

MOUNTS = """\
proc /proc proc rw 0 0
proc /var/tmp/labctl-images-a\\040b/tree/proc proc ro 0 0
sysfs /var/tmp/labctl-images-a\\040b/tree/sys sysfs ro 0 0
tmpfs /var/tmp/labctl-images-a\\040b/tree tmpfs rw 0 0
proc /var/tmp/labctl-images-abc/tree/proc proc ro 0 0
"""


def test_mounts_below_a_folder_the_innermost_first(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    folder = Path("/var/tmp/labctl-images-a b")
    assert [str(place.relative_to(folder)) for place in mounts_below(folder, table=table)] == [
        "tree/proc",
        "tree/sys",
        "tree",
    ]


def test_a_folder_is_gone_afterwards_and_old_ones_too(tmp_path: Path) -> None:
    old, young = (tmp_path / f"{SCRATCH_PREFIX}{name}" for name in ("old", "young"))
    for folder in (old, young):
        (folder / "tree").mkdir(parents=True)
    os.utime(old, (0, old.stat().st_mtime - SCRATCH_SECONDS - 1))
    with scratch_folder(tmp_path) as scratch:
        (scratch / "file").write_text("")
        assert not old.exists()
    assert list(tmp_path.iterdir()) == [young]


def test_what_cannot_be_unmounted_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[object]] = []
    monkeypatch.setattr(bakework.process, "run", lambda words, **_: said.append(list(words)))
    monkeypatch.setattr(bakework, "mounts_below", lambda folder: [folder / "tree" / "proc"])
    with scratch_folder(tmp_path) as scratch:
        (scratch / "tree").mkdir()
    assert said == [["umount", "--lazy", scratch / "tree" / "proc"]]
    assert (scratch / "tree").is_dir()


@pytest.mark.programs
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_real_mount_goes_before_its_files_would(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("worth it")
    with scratch_folder(tmp_path) as scratch:
        (scratch / "tree").mkdir()
        mount = ["mount", "--bind", kept, scratch / "tree"]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("this machine lets nobody mount")
        assert (scratch / "tree" / "file").is_file()
    assert not scratch.exists()
    assert (kept / "file").read_text() == "worth it"
