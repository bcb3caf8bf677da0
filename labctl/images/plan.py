"""How images are named and labelled: recipes, names by content, labels.

Nothing here is about Docker or disks: kinds of images differ by their row in `RECIPES`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl.images.bakeinput import origin_of
from labctl.images.packages import MAIN_PACKAGES, PackageOrigin, PackageSet
from labctl.images.standins import VERSION_PREFIX
from labctl.topology.packages import shown_packages
from labctl.topology.releases import release_file
from labctl.topology.roles import role_facts, rows
from labctl.topology.spec import DEFAULT_RELEASE, Role
from labctl.topology.workdir import ROOT

PACKER = "packer"
"""The folder, in the project's root, with everything that names depend on."""

SHOWN_PACKAGES = tuple(
    dict.fromkeys((*MAIN_PACKAGES, *(name for row in rows() for name in shown_packages(row.role))))
)
"""The packages that the label of an image lists."""


class ImageKind(StrEnum):
    """What an image is: a container's layers, or a disk that a virtual machine boots from."""

    CONTAINER = "container"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the images of one kind are made from; their names depend on all of it.

    `reference` is the pattern of names, with `{name}` for 'base' or the role, `{release}`
    and `{hash}`.
    `release` are the fields of the Debian release's data that go into the base; `base` and `role`
    are patterns of files below `packer/`, in a fixed order; `role` is without those of the base.
    A file that matches no pattern can change without a new name.  Raise `format` whenever code
    changes the content of an image.
    """

    reference: str
    base: tuple[str, ...]
    role: tuple[str, ...]
    release: tuple[str, ...] = ("suite", "base")
    format: int = 1


TEMPLATES = ("build.pkr.hcl", "sources.pkr.hcl", "variables.pkr.hcl")
SCRIPTS = tuple(f"scripts/{name}.sh" for name in ("check", "clean", "finish", "install", "keep"))
RECIPES: Mapping[ImageKind, Recipe] = {
    ImageKind.CONTAINER: Recipe(
        reference="labctl/{name}:{release}-{hash}",
        base=("scripts/base.sh", "scripts/container.sh"),
        role=(*TEMPLATES, *SCRIPTS),
    ),
    ImageKind.DISK: Recipe(
        # A Vagrant box's name and a file's: no slash, no colon.
        reference="labctl-{name}-{release}-{hash}",
        base=("scripts/base.sh", "scripts/vm.sh", "disk/*"),
        role=(*TEMPLATES, *SCRIPTS),
        release=("suite", "base", "disk"),
    ),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A package in an image: its version, and where it came from."""

    version: str
    origin: PackageOrigin

    @property
    def stand_in(self) -> bool:
        return self.origin is PackageOrigin.STAND_INS or self.version.startswith(VERSION_PREFIX)


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The names of the images for one set of packages."""

    base: str
    roles: Mapping[Role, str]
    packages: PackageSet
    release: str = DEFAULT_RELEASE


def plan_images(
    kind: ImageKind,
    roles: Iterable[Role],
    packages: PackageSet,
    *,
    architecture: str,
    release: str,
    root: Path = ROOT,
) -> ImagePlan:
    """Name the images of a kind; equal names mean equal content.

    `release` is the name of a Debian release, such as '13'; it is a part of the names.  Reads the
    files of the kind's recipe and the release's data, nothing else.  Errors: FileNotFoundError
    for a pattern of the recipe that finds nothing.
    """
    recipe, folder = RECIPES[kind], root / PACKER
    file = release_file(release, folder=folder / "debian")
    data = json.loads(file.read_text(encoding="utf-8"))
    contents = [data[key] for key in recipe.release]
    base_texts = [path.read_text(encoding="utf-8") for path in _files(folder, recipe.base)]
    base_hash = _hash([recipe.format, architecture, *contents, base_texts])
    texts = [[path.name, path.read_text(encoding="utf-8")] for path in _files(folder, recipe.role)]
    references = {
        role: recipe.reference.format(
            name=role,
            release=release,
            hash=_hash(
                [
                    base_hash,
                    texts,
                    data["backports"],
                    list(role_facts(role).debian),
                    packages.identity(role),
                ]
            ),
        )
        for role in sorted(set(roles))
    }
    base = recipe.reference.format(name="base", release=release, hash=base_hash)
    return ImagePlan(base, references, packages, release)


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    found = []
    for pattern in patterns:
        files = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not files:
            raise FileNotFoundError(f"'{pattern}' finds no file in '{folder}'")
        found += files
    return found


def packages_to_json(packages: Mapping[str, Installed]) -> dict[str, Any]:
    """Packages as plain data for programs."""
    return {
        name: {"version": item.version, "source": str(item.origin)}
        for name, item in packages.items()
    }


def parse_label(text: str) -> dict[str, Installed]:
    """The packages in a label that `render_label` wrote; empty for an image without one."""
    if not text.strip():
        return {}
    return {
        name: Installed(item["version"], PackageOrigin(item["source"]))
        for name, item in json.loads(text).items()
    }


def render_label(versions: Mapping[str, str], *, packages: PackageSet) -> str:
    """The label `labctl.packages`: installed versions, and where each package came from."""
    return json.dumps(
        {
            name: {"version": versions[name], "source": str(origin_of(name, packages))}
            for name in SHOWN_PACKAGES
            if name in versions
        },
        separators=(",", ":"),
    )


def _hash(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]
