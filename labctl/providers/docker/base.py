"""The base of containers: a Debian root file system imported into Docker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.images.debian import Mirror, Release
from labctl.images.packer import TEMPLATES
from labctl.images.plan import RECIPES, ImageKind
from labctl.images.rootfs import RootfsJob, make_rootfs

SCRIPTS = tuple(TEMPLATES / name for name in RECIPES[ImageKind.CONTAINER].base)
IMPORT_CHANGES = ("ENV container=docker", 'CMD ["/lib/systemd/systemd"]')


@dataclass(frozen=True, slots=True)
class BaseJob:
    """A base image to make: its reference, content and labels."""

    reference: str
    mirror: Mirror
    release: Release
    labels: Mapping[str, str]
    log: Path


def make_base(job: BaseJob, *, scratch: Path) -> None:
    """Make the base image; it gets its name last, so that it is complete or does not exist."""
    wanted = RootfsJob(job.mirror, job.release, packages=job.release.base, scripts=SCRIPTS)
    tree = make_rootfs(wanted, scratch=scratch, log=job.log)
    import_tree(tree, job.reference, labels=job.labels, changes=IMPORT_CHANGES, log=job.log)


def import_tree(
    tree: Path,
    reference: str,
    *,
    labels: Mapping[str, str],
    log: Path,
    changes: Sequence[str] = (),
) -> None:
    """Make an image of the tar of a file system; `changes` are lines of a Dockerfile."""
    lines = [*changes, *(f"LABEL {key}={value}" for key, value in labels.items())]
    options = [word for line in lines for word in ("--change", line)]
    process.run(["docker", "import", *options, tree, reference], log=log, timeout=300)
