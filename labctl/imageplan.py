"""What images are called and say of themselves: recipes, names by content, labels.

No Docker and no disks in here: what differs between the kinds of images is a row of `RECIPES`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.bakeinput import origin_of
from labctl.capabilities import ImageKind
from labctl.model import Role
from labctl.packages import MAIN_PACKAGES, Origin, PackageSet
from labctl.standins import VERSION_PREFIX
from labctl.workdir import ROOT

PACKER = "packer"
"""The folder with everything that names depend on, below the project's root."""

SHOWN_PACKAGES = (*MAIN_PACKAGES, "prosody", "nginx", "coturn")
"""What the label of an image lists."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the images of one kind are made from: all that their names depend on.

    `reference` is the pattern of names, with `{name}` for 'base' or the role and `{hash}`.
    `release` are the fields of the Debian release's data that go into the base; `base` and `role`
    are patterns of files below `packer/`, in the order in which they count, `role` without what
    the base has already.  A file that no pattern takes may change without a new name.
    `format` is to be raised when code changes what an image holds.
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
        reference="labctl/{name}:{hash}",
        base=("scripts/base.sh", "scripts/container.sh"),
        role=(*TEMPLATES, *SCRIPTS),
    ),
    ImageKind.DISK: Recipe(
        # A Vagrant box's name and a file's: no slash, no colon.
        reference="labctl-{name}-{hash}",
        base=("scripts/base.sh", "scripts/vm.sh", "disk/*"),
        role=(*TEMPLATES, *SCRIPTS),
        release=("suite", "base", "disk"),
    ),
}


@dataclass(frozen=True, slots=True)
class Installed:
    """A package in an image: its version, and where it came from."""

    version: str
    origin: Origin

    @property
    def stand_in(self) -> bool:
        return self.origin is Origin.STAND_INS or self.version.startswith(VERSION_PREFIX)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which images are wanted, by name, for one set of packages."""

    base: str
    roles: Mapping[Role, str]
    packages: PackageSet


def plan_images(
    kind: ImageKind,
    roles: Iterable[Role],
    packages: PackageSet,
    *,
    architecture: str,
    root: Path = ROOT,
) -> Plan:
    """Name the images of a kind: equal names mean equal content.

    Reads the files of the kind's recipe and the release's data, nothing else.  Errors:
    FileNotFoundError for a pattern of the recipe that finds nothing.
    """
    recipe, folder = RECIPES[kind], root / PACKER
    data = json.loads((folder / "debian" / "13.json").read_text(encoding="utf-8"))
    release = [data[key] for key in recipe.release]
    base_texts = [path.read_text(encoding="utf-8") for path in _files(folder, recipe.base)]
    base_hash = _hash([recipe.format, architecture, *release, base_texts])
    texts = [[path.name, path.read_text(encoding="utf-8")] for path in _files(folder, recipe.role)]
    references = {
        role: recipe.reference.format(
            name=role,
            hash=_hash(
                [
                    base_hash,
                    texts,
                    data["backports"],
                    data["roles"][role],
                    packages.identity(role),
                ]
            ),
        )
        for role in sorted(set(roles))
    }
    return Plan(recipe.reference.format(name="base", hash=base_hash), references, packages)


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
    """Read the label that `render_label` wrote; empty for an image without one."""
    if not text.strip():
        return {}
    return {
        name: Installed(item["version"], Origin(item["source"]))
        for name, item in json.loads(text).items()
    }


def render_label(versions: Mapping[str, str], *, packages: PackageSet) -> str:
    """The label `labctl.packages`: versions as installed, and where each came from."""
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
