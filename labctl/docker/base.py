"""The base of containers: a Debian tree imported into Docker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import process
from labctl.capabilities import ImageKind
from labctl.debian import Mirror, Release
from labctl.imageplan import RECIPES
from labctl.packer import TEMPLATES
from labctl.tree import TreeJob, make_tree

SCRIPTS = tuple(TEMPLATES / name for name in RECIPES[ImageKind.CONTAINER].base)
IMPORT_CHANGES = ("ENV container=docker", 'CMD ["/lib/systemd/systemd"]')


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
    wanted = TreeJob(job.mirror, job.release, packages=job.release.base, scripts=SCRIPTS)
    tree = make_tree(wanted, scratch=scratch, log=job.log)
    changes = [*IMPORT_CHANGES, *(f"LABEL {key}={value}" for key, value in job.labels.items())]
    options = [word for change in changes for word in ("--change", change)]
    process.run(["docker", "import", *options, tree, job.reference], log=job.log, timeout=300)
