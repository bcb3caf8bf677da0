"""Check, without starting it, that a finished disk holds nothing that belongs to one machine.

`packer/scripts/check.sh` checks the running machine; this also sees what its shutdown left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from labctl.core import process
from labctl.core.privilege import find_program
from labctl.providers.vm.disk import QEMU_HINT, ROOT_OFFSET

DEBUGFS_HINT = "Install the package 'e2fsprogs'."

READ = (
    *("/etc", "/home", "/root", "/tmp", "/usr/local", "/var/cache/debconf", "/var/lib/apt"),
    *("/var/lib/dbus", "/var/lib/labctl", "/var/lib/prosody", "/var/lib/systemd", "/var/log"),
    "/var/tmp",
)
"""Folders that are searched."""

PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
ANSWER = re.compile(r"^Value: \S+", re.MULTILINE)

SLACK_BYTES = 96 * 1024**2
"""The most that a disk may hold beyond its files: journal, tables, GRUB, the EFI partition."""


def find_traces(disk: Path, *, scratch: Path) -> list[str]:
    """What should not be in a raw disk, in sentences; empty if it is clean.

    `scratch` is an empty folder.  Errors: ProcessError if the disk cannot be read.
    """
    scratch.mkdir(exist_ok=True)
    for folder in READ:
        target = scratch / folder.strip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        _debugfs(disk, f"rdump {folder} {target.parent}")
    return [*trace_problems(scratch), *space_problems(_used(disk), disk.stat().st_blocks * 512)]


def read_file(disk: Path, path: str, *, scratch: Path) -> str:
    """The text of a file in a disk of any format that qemu-img knows.

    `scratch` is a folder with room for what the disk holds.  Errors: ProcessError.
    """
    raw = scratch / "disk.raw"
    process.run(["qemu-img", "convert", "-O", "raw", disk, raw], timeout=600, hint=QEMU_HINT)
    try:
        return _debugfs(raw, f"cat {path}")
    finally:
        raw.unlink()


def trace_problems(root: Path) -> list[str]:
    """What should not be below `root`, a copy of an image's folders."""
    problems = []
    for what, find in CHECKS.items():
        found = sorted(f"/{path.relative_to(root)}" for path in find(root))
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            problems.append(f"{what}: {', '.join(found[:3])}{more}")
    return problems


def space_problems(used: int, allocated: int) -> list[str]:
    """Free space that is not zeroed, from the bytes that files use and that the disk holds."""
    excess = allocated - used - SLACK_BYTES
    if excess <= 0:
        return []
    return [f"free space that is not zeroed: {excess // 1_000_000} MB"]


def _files(root: Path, *folders: str) -> Iterator[Path]:
    """Files that are not empty, without links."""
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size > 0:
                yield path


def _host_keys(root: Path) -> Iterable[Path]:
    yield from (root / "etc/ssh").glob("ssh_host_*")
    yield from _files(root, "etc/ssh/lab")


def _machine_ids(root: Path) -> Iterable[Path]:
    names = ("etc/machine-id", "etc/hostname", "var/lib/systemd/random-seed")
    yield from (root / name for name in names if (root / name).is_file())
    link = root / "var/lib/dbus/machine-id"
    if link.is_file() and not link.is_symlink():
        yield link


def _secrets(root: Path) -> Iterable[Path]:
    for path in _files(root, "etc", "home", "root", "usr/local", "var/lib", "tmp"):
        if PRIVATE_KEY.search(path.read_bytes()):
            yield path
    for path in (root / "var/cache/debconf").glob("passwords.dat*"):
        if ANSWER.search(path.read_text(encoding="utf-8", errors="replace")):
            yield path


def _users_files(root: Path) -> Iterable[Path]:
    for home in (root / "root", *(root / "home").glob("*")):
        yield from (path for path in home.glob(".*history") if path.stat().st_size)
        yield from (home / ".ssh").glob("*")


CHECKS: dict[str, Callable[[Path], Iterable[Path]]] = {
    "ssh host keys": _host_keys,
    "the identity of one machine": lambda root: (
        path for path in _machine_ids(root) if path.stat().st_size
    ),
    "private keys or passwords": _secrets,
    "accounts": lambda root: _files(root, "var/lib/prosody"),
    "logs": lambda root: _files(root, "var/log"),
    "package lists": lambda root: _files(root, "var/lib/apt/lists"),
    "a user's traces": _users_files,
    "what the bake left": lambda root: _files(root, "tmp", "var/tmp"),
}


def _used(disk: Path) -> int:
    """The bytes that the file system uses for files and its own tables."""
    text = _debugfs(disk, "stats -h")
    total, free = (
        int(found[1]) if (found := re.search(rf"^{name}: +(\d+)", text, re.MULTILINE)) else 0
        for name in ("Block count", "Free blocks")
    )
    return (total - free) * 4096


def _debugfs(disk: Path, request: str) -> str:
    program = find_program("debugfs") or "debugfs"
    return process.run(
        [program, "-R", request, f"{disk}?offset={ROOT_OFFSET}"], hint=DEBUGFS_HINT, timeout=120
    ).output
