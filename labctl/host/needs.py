"""Commands and files that the machine must have for a provider, and Debian's packages for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labctl.core.privilege import find_program
from labctl.images.debian import KEYRING

PACKER_ELSEWHERE = (
    "This release has no 'packer': install it from HashiCorp's repository,"
    " https://developer.hashicorp.com/packer/install."
)
VAGRANT_ELSEWHERE = (
    "This release has no 'vagrant': install it from HashiCorp's repository,"
    " https://developer.hashicorp.com/vagrant/install."
)


def always() -> bool:
    return True


def is_plain_user() -> bool:
    return os.geteuid() != 0


@dataclass(frozen=True, slots=True)
class Need:
    """A command that labctl runs (or, with `file`, another file of a package), and its packages.

    Those of `packages` that this Debian has are installed.  `version` are the arguments that make
    the command print its version.  `file` is a pattern below `/`; the need is met if it matches a
    file.  `when` says whether this machine needs it.  `borrowed` is the Debian suite whose package
    is used if this Debian has none; `vendor` says that HashiCorp's repository has it; `elsewhere`
    is the advice if these fail, too.
    """

    name: str
    packages: tuple[str, ...]
    why: str
    version: tuple[str, ...] | None = ("--version",)
    file: str | None = None
    when: Callable[[], bool] = always
    borrowed: str | None = None
    vendor: bool = False
    elsewhere: str | None = None

    def find(self) -> str | None:
        """Its path on this machine; None if it is missing."""
        if self.file is None:
            return find_program(self.name)
        return next(map(str, sorted(Path("/").glob(self.file.lstrip("/")))), None)


EVERY_PROVIDER = (
    Need(
        "vagrant",
        ("vagrant",),
        "makes, starts and removes the nodes",
        vendor=True,
        elsewhere=VAGRANT_ELSEWHERE,
    ),
    Need(
        "packer",
        ("packer",),
        "bakes the images of the roles",
        version=("version",),
        # A static program that needs only libc6, so the older release's package works too.
        borrowed="bookworm",
        vendor=True,
        elsewhere=PACKER_ELSEWHERE,
    ),
    Need("mmdebstrap", ("mmdebstrap",), "makes the Debian system that the images start from"),
    Need(
        "Debian's keyring",
        ("debian-archive-keyring",),
        "shows whether Debian's packages are Debian's",
        file=KEYRING,
    ),
    Need(
        "newuidmap",
        ("uidmap",),
        "lets mmdebstrap work without root",
        version=None,
        when=is_plain_user,
    ),
    Need("ssh", ("openssh-client",), "reaches the nodes", version=("-V",)),
    Need("ssh-keygen", ("openssh-client",), "makes a lab's keys", version=None),
    Need("ip", ("iproute2",), "shows whether the lab's network is free", version=("-V",)),
)
# For participants in a browser only; no lab needs these.
BROWSER = (
    Need("chromium", ("chromium",), "is the browser of participants"),
    Need("certutil", ("libnss3-tools",), "makes the browser trust the lab's CA", version=None),
)
# For an end-to-end suite only, in addition to the browser.  npm is the user's choice.
WEBDRIVER = (
    Need("node", ("nodejs",), "runs WebdriverIO"),
    Need("chromedriver", ("chromium-driver",), "drives Chromium"),
)
