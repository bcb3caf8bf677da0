"""The Debian root file system that mmdebstrap makes; containers and disks both start from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.images.debian import Mirror, Release, render_settings, render_sources, source_lines

ROOTFS_SECONDS = 900.0
EPOCH = "1767225600"
"""The time stamp of files that are made while an image is built (SOURCE_DATE_EPOCH): 2026."""

# Memory would be faster, but half a gigabyte is too much for a small machine,
# and /tmp may forbid device files.
SCRATCH = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class RootfsJob:
    """A root file system to make: its Debian, packages and scripts.

    `scripts` run inside the finished tree.  `hooks` run outside, before `packages` are installed,
    with the tree as their argument.
    """

    mirror: Mirror
    release: Release
    packages: Sequence[str]
    scripts: Sequence[Path]
    hooks: Sequence[Path] = ()


def make_rootfs(job: RootfsJob, *, scratch: Path, log: Path) -> Path:
    """Make the tree and return its tar in `scratch`.  Errors: ProcessError with the log."""
    tree = scratch / "tree.tar"
    process.run(
        rootfs_command(job, tree=tree, scratch=scratch),
        env={"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": EPOCH},
        log=log,
        timeout=ROOTFS_SECONDS,
        hint="mmdebstrap needs root, or user namespaces (packages 'uidmap' and an /etc/subuid).",
    )
    return tree


def rootfs_command(job: RootfsJob, *, tree: Path, scratch: Path) -> list[str | Path]:
    """The mmdebstrap call; writes the files that it reads into `scratch`."""
    sources = _for_all(scratch / "debian.sources", render_sources(job.mirror, job.release))
    passwords = scratch / "auth.conf"
    if job.mirror.passwords:
        # mmdebstrap's apt reads it from outside, as this user or the one it maps to root.
        _for_all(passwords, job.mirror.passwords).chmod(0o600)
    settings = _for_all(scratch / "apt.conf", render_settings(job.mirror, passwords=str(passwords)))
    scripts, hooks = (
        [_for_all(scratch / file.name, file.read_text(encoding="utf-8")) for file in files]
        for files in (job.scripts, job.hooks)
    )
    inside = [f'chroot "$1" /bin/sh < {shlex.quote(str(script))}' for script in scripts]
    inside.append(
        f"sed -E 's#://[^/@]+@#://#' {shlex.quote(str(sources))}"
        ' > "$1/etc/apt/sources.list.d/debian.sources"'
    )
    early = [f'/bin/sh {shlex.quote(str(hook))} "$1"' for hook in hooks]
    return [
        "mmdebstrap",
        "--variant=apt",
        "--dpkgopt=force-unsafe-io",
        f"--aptopt={settings}",
        f"--include={','.join(job.packages)}",
        *(f"--essential-hook={hook}" for hook in early),
        *(f"--customize-hook={hook}" for hook in inside),
        job.release.suite,
        tree,
        *(f"deb {uri} {suite} main" for uri, suite in source_lines(job.mirror, job.release)),
    ]


def _for_all(file: Path, text: str) -> Path:
    """Write a file that others can read: if labctl is not root, mmdebstrap runs as another user.

    That user cannot enter a home folder that is closed to others, as on Debian 13, and the project
    with its scripts may be in one.
    """
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return file
