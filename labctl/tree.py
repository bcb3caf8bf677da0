"""A Debian tree made by mmdebstrap: what containers and disks alike start from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.debian import Mirror, Release, render_settings, render_sources, source_lines

TREE_SECONDS = 900.0
EPOCH = "1767225600"
"""The time that files get which are made while an image is built (SOURCE_DATE_EPOCH): 2026."""

# A tree in memory would be quicker, but half a gigabyte of a small machine's memory is too much,
# and /tmp may forbid device files.
SCRATCH = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class TreeJob:
    """A tree to make: its Debian, packages, and scripts.

    `scripts` run inside the finished tree, `hooks` outside of it before `packages` are installed,
    with the tree as their argument.
    """

    mirror: Mirror
    release: Release
    packages: Sequence[str]
    scripts: Sequence[Path]
    hooks: Sequence[Path] = ()


def make_tree(job: TreeJob, *, scratch: Path, log: Path) -> Path:
    """Make the tree and return its tar in `scratch`.  Errors: ProcessError with the log."""
    tree = scratch / "tree.tar"
    process.run(
        tree_command(job, tree=tree, scratch=scratch),
        env={"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": EPOCH},
        log=log,
        timeout=TREE_SECONDS,
        hint="mmdebstrap needs root, or user namespaces (packages 'uidmap' and an /etc/subuid).",
    )
    return tree


def tree_command(job: TreeJob, *, tree: Path, scratch: Path) -> list[str | Path]:
    """The mmdebstrap call; writes the files that it reads into `scratch`."""
    sources = _for_all(scratch / "debian.sources", render_sources(job.mirror, job.release))
    settings = _for_all(scratch / "apt.conf", render_settings(job.mirror))
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
    """Write a file that others may read: where labctl is not root, mmdebstrap is another user.

    That user does not get into a home that is closed to others (Debian 13's are), where the
    project with its scripts may lie.
    """
    file.write_text(text, encoding="utf-8")
    file.chmod(0o644)
    return file
