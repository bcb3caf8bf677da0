"""The base disk of a tiny tree: its layout, who owns what, how far it can be made again."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from labctl.images.rootfs import EPOCH
from labctl.providers.vm.disk import GRUB_CONFIG, PATH, ROOT_OFFSET, disk_command
from labctl.providers.vm.needs import DISKS

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(
        any(need.find() is None for need in DISKS), reason="needs GRUB, mtools, xorriso and others"
    ),
]
ESP_OFFSET = 1024**2


TREE = (
    ("etc", 0o755, 0),
    ("etc/shadow", 0o640, 0),
    ("home", 0o755, 1000),
    ("./dev", 0o755, 0),
)


def make_tree(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, mode, uid in TREE:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid, info.mtime = mode, uid, uid, int(EPOCH)
            if name == "etc/shadow":
                info.size = 4
                archive.addfile(info, io.BytesIO(b"root"))
            else:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
        device = tarfile.TarInfo("./dev/null")
        device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 3
        archive.addfile(device)
    return path


def make_disk(tree: Path, target: Path) -> Path:
    env = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PATH": PATH, "TMPDIR": str(target.parent)}
    command = [*map(str, disk_command(tree, target=target))]
    subprocess.run([*command[:-1], "256"], env=env, check=True, capture_output=True)
    return target


def debugfs(disk: Path, request: str) -> str:
    program = shutil.which("debugfs", path=PATH) or "debugfs"
    words = [program, "-R", request, f"{disk}?offset={ROOT_OFFSET}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    return make_disk(make_tree(folder / "tree.tar"), folder / "disk.raw")


def test_it_boots_by_bios(disk: Path) -> None:
    with disk.open("rb") as file:
        first = file.read(1024)
    assert first[:2] == b"\xeb\x63"
    assert b"GRUB" in first[:440]
    assert first[510:512] == b"\x55\xaa"
    # The second stage begins where the first looks for it.
    assert any(first[512:])


def test_it_boots_by_uefi(disk: Path, tmp_path: Path) -> None:
    efi = tmp_path / "boot.efi"
    source = "::/EFI/BOOT/BOOTX64.EFI"
    subprocess.run(["mcopy", "-i", f"{disk}@@{ESP_OFFSET}", source, efi], check=True)
    assert efi.read_bytes()[:2] == b"MZ"


def test_its_files_keep_owners_modes_and_contents(disk: Path) -> None:
    assert re.search(r"Mode: +0640(?s:.*)User: +0 ", debugfs(disk, "stat /etc/shadow"))
    assert re.search(r"User: +1000 +Group: +1000 ", debugfs(disk, "stat /home"))
    assert debugfs(disk, "ls -p /dev").count("\n") == 3, "an empty folder: the kernel fills it"
    assert debugfs(disk, "cat /boot/grub/grub.cfg") == GRUB_CONFIG.read_text(encoding="utf-8")
    assert "labctl-root" in debugfs(disk, "stats -h")


def test_it_takes_no_more_room_than_its_files(disk: Path) -> None:
    assert disk.stat().st_size == 256 * 1024**2
    assert disk.stat().st_blocks * 512 < 24 * 1024**2


def test_the_same_tree_makes_the_same_disk(disk: Path, tmp_path: Path) -> None:
    # A second later, as two builds are.
    time.sleep(1.1)
    again = make_disk(disk.parent / "tree.tar", tmp_path / "again.raw")
    with disk.open("rb") as one, again.open("rb") as two:
        assert one.read(ROOT_OFFSET) == two.read(ROOT_OFFSET)
    # The ext4 has the times at which the files were unpacked (mke2fs 1.47.0 copies them), and
    # their checksums; nothing else.
    compared = subprocess.run(["cmp", "-l", disk, again], capture_output=True, text=True)
    inodes = re.search(r"^Inode count: +(\d+)", debugfs(disk, "stats -h"), re.MULTILINE)
    free = re.search(r"^Free inodes: +(\d+)", debugfs(disk, "stats -h"), re.MULTILINE)
    assert inodes is not None
    assert free is not None
    used = int(inodes[1]) - int(free[1])
    assert len(compared.stdout.splitlines()) <= 40 + 16 * used
    listings = [debugfs(entry, "ls -l /etc").splitlines() for entry in (disk, again)]
    assert [line.split()[:6] for line in listings[0]] == [line.split()[:6] for line in listings[1]]
