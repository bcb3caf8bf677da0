"""What is in a bundle: `bundle.json`, which is also the lock of every version in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labctl.core.plain import from_plain
from labctl.core.state import StateKind
from labctl.topology.spec import ProviderName, Role

BUNDLE_FILE, SUMS_FILE, SBOM_FILE = "bundle.json", "SHA256SUMS", "sbom.cdx.json"
TOPOLOGY_FILE, SECRETS_FILE, CA_FILE = "topology.json", "secrets.json", "ca/ca.crt"
KEY_FILE, KNOWN_HOSTS_FILE = "ssh/key", "ssh/known_hosts"
ARCHIVES, SEEDS = "images", "seeds"


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of a bundle: its path with slashes, its size, its SHA-256, whether it is secret."""

    path: str
    bytes: int
    sha256: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A Debian package in an image; `origin` is a word of `labctl.images.packages`."""

    name: str
    version: str
    architecture: str
    origin: str


@dataclass(frozen=True, slots=True)
class BundleImage:
    """An image: its role, the file that has it, and everything that is installed in it."""

    role: Role
    archive: str
    packages: tuple[LockedPackage, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A lab in a folder.

    `created` is in RFC 3339, `labctl` the version that made it, `id` is different for every bundle.
    `machines` is what its Vagrantfile needs of each node in addition to the topology.
    """

    id: str
    lab: str
    provider: ProviderName
    debian: str
    labctl: str
    created: str
    images: Mapping[str, BundleImage]
    files: tuple[BundleFile, ...]
    machines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The packages that are stand-ins, not Jitsi's software."""
        packages = (one for image in self.images.values() for one in image.packages)
        return tuple(sorted({one.name for one in packages if one.origin == "stand-ins"}))

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.bytes for file in self.files)


BUNDLE: StateKind[Bundle] = StateKind(
    format=1,
    parse=partial(from_plain, Bundle),
    remedy="Copy the bundle again from where it came.",
)
