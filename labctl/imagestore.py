"""Where images of one kind are kept: the seam between `labctl.images` and who makes them.

A store is one value in a provider's row (`labctl.providers`).  Stores of one kind keep the same
images: providers that start disks share them, and each adds to a disk what it needs.  The Docker
engine's is `labctl.docker.images`, that of disks `labctl.vm.store`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from labctl.capabilities import ImageKind
from labctl.imageplan import Installed, Plan
from labctl.model import Role
from labctl.packages import PackageSet
from labctl.progress import Progress
from labctl.workdir import ROOT

LABS = ROOT / ".lab"
BASE = "base"
"""What stands in place of a role for the image that all roles are baked on."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of labctl: its reference, role, when it was made (RFC 3339), bytes of its own.

    `users` says in words who needs it: 'lab course', 'container x', 'image labctl-jms-0123'.
    """

    reference: str
    role: str
    created: str
    size: int
    users: tuple[str, ...] = ()


class ImageStore(Protocol):
    """Makes, finds, checks and removes the images of one kind.

    A reference is what a node's `image` holds and its provider starts.  Every method may raise
    LabError when the programs behind the store do not answer; those that take a reference do for
    one that is not there, except where something else is said.
    """

    @property
    def kind(self) -> ImageKind:
        """What its images are.  Stores of the same kind list, show, verify and remove the same."""
        ...

    def ensure_tools(self, progress: Progress) -> None:
        """Install and start what `make` needs, which may be less than machines need."""
        ...

    def local(self) -> frozenset[str]:
        """References of whole images that the provider can start as they are, and of bases.

        Called at every `labctl up`: one program's start, not more.
        """
        ...

    def plan(self, roles: Iterable[Role], packages: PackageSet, *, architecture: str) -> Plan:
        """Name the images of `roles` and their base by all that goes in; makes nothing.

        Equal names mean equal content.  `architecture` is Debian's word, such as 'amd64'.  See
        `labctl.imageplan.plan_images`, which does it from the kind's recipe.
        """
        ...

    def make(
        self,
        plan: Plan,
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

        Without `force` what is there already of an image that is missing may be used.

        An image gets its name as the last act, whatever interrupts; one of the same name is
        replaced.  `cache` is a folder for what may be used again, `logs` gets 'build-<role>.log'.
        Progress: phase 'images', the role or 'base' as node.  The caller holds the kind's lock.
        Errors: LabError with its log, PackageError where a package is at fault.
        """
        ...

    def packages(self, reference: str) -> dict[str, Installed]:
        """What an image holds of Jitsi, Prosody, nginx and coturn, as noted when it was made."""
        ...

    def list(self) -> Sequence[Image]:
        """All images, the newest first, with users that the store knows of (labs: `with_labs`)."""
        ...

    def remove(self, images: Iterable[Image]) -> Sequence[Image]:
        """Remove images; those that went (another may have begun to use one meanwhile)."""
        ...

    def clean(self) -> Sequence[str]:
        """Remove what failed bakes have left; what went, in words."""
        ...

    def verify(self, reference: str) -> Sequence[str]:
        """What is wrong with an image, in sentences; empty when it is good.

        Reads all of its content, and compares it with what was noted when it was made.  An image
        that is not there is a problem, not an error.
        """
        ...

    def show(self, reference: str) -> dict[str, Any]:
        """Plain data about an image: at least reference, role, created, size, packages."""
        ...


def with_labs(images: Iterable[Image], *, labs: Path = LABS) -> list[Image]:
    """The same images, with the labs of this checkout among their users."""
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
    """Images of one store that nobody uses, but for the newest base: roles are baked on that."""
    newest_base = next((image for image in images if image.role == BASE), None)
    return [image for image in images if not image.users and image is not newest_base]
