"""What images are called and say of themselves: names by content, labels.  No Docker in here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.bakeinput import origin_of
from labctl.base import SCRIPTS
from labctl.model import Role
from labctl.packages import MAIN_PACKAGES, Origin, PackageSet
from labctl.standins import VERSION_PREFIX
from labctl.workdir import ROOT

FORMAT = 1
"""To be raised when code changes what an image holds; templates and scripts count by themselves."""

SHOWN_PACKAGES = (*MAIN_PACKAGES, "prosody", "nginx", "coturn")
"""What the label of an image lists."""


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
    roles: Iterable[Role], packages: PackageSet, *, architecture: str, root: Path = ROOT
) -> Plan:
    """Name the images: equal names mean equal content.  Reads `packer/` and nothing else."""
    folder = root / "packer"
    data = json.loads((folder / "debian" / "13.json").read_text(encoding="utf-8"))
    scripts = [folder / "scripts" / script.name for script in SCRIPTS]
    base_hash = _hash(
        [FORMAT, architecture, data["suite"], data["base"], [path.read_text() for path in scripts]]
    )
    templates = [*sorted(folder.glob("*.pkr.hcl")), *sorted((folder / "scripts").glob("*.sh"))]
    texts = [[path.name, path.read_text()] for path in templates if path not in scripts]
    references = {
        role: f"labctl/{role}:"
        + _hash([base_hash, texts, data["backports"], data["roles"][role], packages.identity(role)])
        for role in sorted(set(roles))
    }
    return Plan(f"labctl/base:{base_hash}", references, packages)


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
