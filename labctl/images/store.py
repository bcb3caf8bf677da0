"""The store of images of one kind: the interface between `labctl.images.make` and providers.

A store is an attribute of a provider.  Stores of one kind keep the same images: providers that
start disks share them, and each adds what it needs to a disk.  The Docker engine's store is
`labctl.providers.docker.images`; that of disks is `labctl.providers.vm.store`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from labctl.core.progress import Progress
from labctl.images.contents import DebPackage
from labctl.images.packages import PackageSet
from labctl.images.plan import ImageKind, ImagePlan, Installed
from labctl.topology.spec import Role
from labctl.topology.workdir import PROJECT

LABS = PROJECT / ".lab"
BASE = "base"
"""Used instead of a role for the image that all roles are baked on."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of labctl: its reference, role, time of creation (RFC 3339), own size in bytes.

    `users` says in words what uses it: 'lab course', 'container x', 'image labctl-jms-0123'.
    """

    reference: str
    role: str
    created: str
    size: int
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that brings images to another machine.

    `least_bytes` is what it certainly takes.  `write` makes the file at a path that does not exist;
    a file that it could not finish may stay there.
    """

    name: str
    images: tuple[str, ...]
    least_bytes: int
    write: Callable[[Path, Progress], object]


class ImageStore(Protocol):
    """Makes, finds, checks and removes the images of one kind.

    A reference is the value of a node's `image`, which its provider starts.  Every method may raise
    LabError if the programs behind the store do not answer.  Methods that take a reference raise
    it for an image that does not exist, unless they say otherwise.
    """

    @property
    def kind(self) -> ImageKind:
        """The kind of its images.  Stores of one kind list, show, verify and remove the same."""
        ...

    def folder(self) -> Path:
        """The folder on whose disk the images are; it may not exist yet.  Changes nothing."""
        ...

    def ensure_tools(self, progress: Progress) -> None:
        """Install and start what `make` needs; that may be less than machines need."""
        ...

    def local(self) -> frozenset[str]:
        """References of complete images that the provider can start as they are, and of bases.

        Called at every `labctl up`, so it starts at most one program.
        """
        ...

    def plan(
        self, roles: Iterable[Role], packages: PackageSet, *, architecture: str, release: str
    ) -> ImagePlan:
        """Name the images of `roles` and their base by everything in them; makes nothing.

        Equal names mean equal content.  `architecture` is Debian's word, such as 'amd64', and
        `release` the name of a release, such as '13'.  See
        `labctl.images.plan.plan_images`, which does it from the kind's recipe.
        """
        ...

    def make(
        self,
        plan: ImagePlan,
        missing: Sequence[Role],
        *,
        remake_base: bool,
        force: bool,
        cache: Path,
        logs: Path,
        progress: Progress,
        jobs: int,
    ) -> None:
        """Make the images of `missing`, at most `jobs` at once, and the base with `remake_base`.

        Without `force`, existing parts of a missing image may be used.  Its name comes last,
        so an interrupted run leaves none; one of the same name is replaced.  `cache` is a folder
        for what may be used again; `logs` gets 'build-<role>.log'.  Progress has the phase
        'images', and the role or 'base' as its node.  The caller holds the kind's lock.
        Errors: LabError with its log; PackageError if a package is at fault.
        """
        ...

    def packages(self, reference: str) -> dict[str, Installed]:
        """The image's packages of Jitsi, Prosody, nginx and coturn, as recorded at its making."""
        ...

    def list(self) -> Sequence[Image]:
        """All images, the newest first, with the users that the store knows (labs: `with_labs`)."""
        ...

    def remove(self, images: Iterable[Image]) -> Sequence[Image]:
        """Remove images; returns those removed (one may have come into use meanwhile)."""
        ...

    def clean(self) -> Sequence[str]:
        """Remove what failed bakes have left; returns what was removed, in words."""
        ...

    def verify(self, reference: str) -> Sequence[str]:
        """What is wrong with an image, in sentences; empty if it is good.

        Reads its whole content and compares it with the record of when it was made.  A missing
        image is a problem, not an error.
        """
        ...

    def installed(self, reference: str) -> tuple[DebPackage, ...]:
        """Every Debian package in an image, by name."""
        ...

    def archives(self, references: Sequence[str]) -> Sequence[Archive]:
        """The files that bring these images to a machine that has the provider and Vagrant."""
        ...

    def show(self, reference: str) -> dict[str, Any]:
        """Plain data about an image: at least reference, role, created, size, packages."""
        ...


def with_labs(images: Iterable[Image], *, labs: Path = LABS) -> list[Image]:
    """The same images, with the labs of this checkout added to their users."""
    users = lab_images(labs)
    return [
        replace(image, users=(*users.get(image.reference, ()), *image.users)) for image in images
    ]


def lab_images(labs: Path) -> dict[str, list[str]]:
    """Image -> the labs of this checkout whose topology names it."""
    found: dict[str, list[str]] = {}
    for file in sorted(labs.glob("*/topology.json")):
        if file.parent.is_symlink():
            continue
        try:
            nodes = json.loads(file.read_text(encoding="utf-8"))["nodes"]
            references = sorted({str(node["image"]) for node in nodes})
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for reference in references:
            found.setdefault(reference, []).append(f"lab {file.parent.name}")
    return found


def choose_prunable(images: Sequence[Image]) -> list[Image]:
    """The unused images of one store, except for the newest base, on which roles are baked."""
    newest_base = next((image for image in images if image.role == BASE), None)
    return [image for image in images if not image.users and image is not newest_base]
