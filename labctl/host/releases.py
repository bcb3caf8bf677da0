"""The release that this machine runs, and what is known of Debian's and Ubuntu's packages.

What apt says on the machine always counts first; the table is for commands that people type and for
decisions before apt has its lists.  docs/providers.md says where each row is from.
"""

from __future__ import annotations

import platform
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from labctl.host.needs import Need


@dataclass(frozen=True, slots=True)
class HostRelease:
    """A release by its os-release file: `family` is 'debian' or 'ubuntu', else the file's own ID.

    A derivative counts as the release that it names as its base.
    """

    family: str
    version: str
    codename: str
    name: str

    @property
    def lacks(self) -> frozenset[str]:
        """Packages that labctl may need and that this release does not have, as far as is known."""
        return LACKING.get((self.family, self.codename), frozenset())


LACKING: Mapping[tuple[str, str], frozenset[str]] = {
    ("debian", "bookworm"): frozenset({"docker-cli", "virtualbox"}),
    ("debian", "trixie"): frozenset({"packer", "virtualbox"}),
    ("ubuntu", "jammy"): frozenset({"docker-cli", "packer", "vagrant-libvirt"}),
    ("ubuntu", "noble"): frozenset({"docker-cli", "vagrant", "vagrant-libvirt", "packer"}),
}
"""Where it is not known whether a release has a package, it counts as one that has not."""

VENDOR_SUITES = frozenset({"bookworm", "trixie", "jammy", "noble"})
"""The releases for which HashiCorp's repository has a suite of the same name."""


class Supplier(StrEnum):
    """Where a program's package comes from, in the order in which they are tried."""

    OWN = "this release"
    BORROWED = "another Debian release"
    VENDOR = "HashiCorp's repository"
    NOWHERE = "nowhere"


def parse_release(text: str) -> HostRelease:
    """The release in an os-release file, whose values are quoted as in a shell."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and line[0] != "#")
    return release_of({name: "".join(shlex.split(value)) for name, _, value in pairs})


def release_of(fields: Mapping[str, str]) -> HostRelease:
    """The release that the fields of an os-release file describe."""
    kin = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    family = next((name for name in ("ubuntu", "debian") if name in kin), kin[0])
    own = "" if fields.get("ID") != family else fields.get("VERSION_CODENAME", "")
    named = fields.get(f"{family.upper()}_CODENAME", "")
    codename = named or own
    version = fields.get("VERSION_ID", "") if fields.get("ID") == family else ""
    return HostRelease(
        family, version, codename, fields.get("PRETTY_NAME", kin[0] or "this system")
    )


def this_release() -> HostRelease:
    """The release of this machine; an unknown one if it does not say."""
    try:
        return release_of(platform.freedesktop_os_release())
    except OSError:
        return HostRelease("", "", "", "this system")


def supplier_of(
    need: Need, release: HostRelease, *, known: Collection[str], machine: str
) -> Supplier:
    """Where the package of a need comes from; `known` are the names that apt can install.

    `machine` is the processor, as `uname -m` names it.
    """
    if any(name in known for name in need.packages):
        return Supplier.OWN
    if need.borrowed is not None and release.family == "debian" and machine in BORROWABLE:
        return Supplier.BORROWED
    if need.vendor and release.codename in VENDOR_SUITES and machine == "x86_64":
        return Supplier.VENDOR
    return Supplier.NOWHERE


BORROWABLE = ("x86_64", "aarch64")
"""Processors whose packages of other Debian releases were looked at."""
