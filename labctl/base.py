"""The base image: a Debian tree made by mmdebstrap and imported into Docker."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.capabilities import ImageKind
from labctl.debian import Mirror, Release, render_settings, render_sources, source_lines
from labctl.imageplan import RECIPES
from labctl.packer import TEMPLATES

SCRIPTS = tuple(TEMPLATES / name for name in RECIPES[ImageKind.CONTAINER].base)
BASE_SECONDS = 900.0
IMPORT_CHANGES = ("ENV container=docker", 'CMD ["/lib/systemd/systemd"]')
# A tree in memory would be quicker, but half a gigabyte of a small machine's memory is too much,
# and /tmp may forbid device files.
SCRATCH = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class BaseJob:
    """A base image to make: its reference, what is in it, its labels."""

    reference: str
    mirror: Mirror
    release: Release
    labels: Mapping[str, str]
    log: Path


def make_base(job: BaseJob, *, scratch: Path) -> None:
    """Make the base image; it gets its name last, so that it is there whole or not at all."""
    tree = scratch / "base.tar"
    process.run(
        tree_command(job, tree=tree, scratch=scratch),
        env={"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": "1767225600"},
        log=job.log,
        timeout=BASE_SECONDS,
        hint="mmdebstrap needs root, or user namespaces (packages 'uidmap' and an /etc/subuid).",
    )
    changes = [*IMPORT_CHANGES, *(f"LABEL {key}={value}" for key, value in job.labels.items())]
    options = [word for change in changes for word in ("--change", change)]
    process.run(["docker", "import", *options, tree, job.reference], log=job.log, timeout=300)


def tree_command(job: BaseJob, *, tree: Path, scratch: Path) -> list[str | Path]:
    """The mmdebstrap call; writes the files that it reads into `scratch`."""
    sources = scratch / "debian.sources"
    sources.write_text(render_sources(job.mirror, job.release), encoding="utf-8")
    settings = scratch / "apt.conf"
    settings.write_text(render_settings(job.mirror), encoding="utf-8")
    hooks = [f'chroot "$1" /bin/sh < {shlex.quote(str(script))}' for script in SCRIPTS]
    hooks.append(
        f"sed -E 's#://[^/@]+@#://#' {shlex.quote(str(sources))}"
        ' > "$1/etc/apt/sources.list.d/debian.sources"'
    )
    return [
        "mmdebstrap",
        "--variant=apt",
        "--dpkgopt=force-unsafe-io",
        f"--aptopt={settings}",
        f"--include={','.join(job.release.base)}",
        *(f"--customize-hook={hook}" for hook in hooks),
        job.release.suite,
        tree,
        *(f"deb {uri} {suite} main" for uri, suite in source_lines(job.mirror, job.release)),
    ]
