"""HashiCorp's apt repository: Vagrant and Packer where a release has no packages of them.

A package is downloaded apart from this machine's own apt and then installed, so the repository does
not become one of the machine's sources.
"""

from __future__ import annotations

from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.openpgp import choose_key
from labctl.images import apt
from labctl.images.download import download

REPOSITORY = "https://apt.releases.hashicorp.com"
KEY = "798AEC654E5C15428C8E42EEAA16FCBCA621E701"
"""Fingerprint of the key that signs the repository, as HashiCorp's page on security names it."""

KEY_SECONDS = 15.0


def render_vendor_source(suite: str, *, keyring: Path) -> str:
    """The repository's deb822 entry, which trusts only the keys in `keyring`."""
    return (
        f"Types: deb\nURIs: {REPOSITORY}\nSuites: {suite}\nComponents: main\nSigned-By: {keyring}\n"
    )


def install_from_vendor(package: str, *, suite: str) -> None:
    """Install a package of HashiCorp's.  Errors: LabError if the repository does not answer, or
    is not signed by the pinned key."""
    with apt.folder_for_all() as folder:
        keyring = folder / "hashicorp.gpg"
        keyring.write_bytes(_fetch_key(folder / "key"))
        source = render_vendor_source(suite, keyring=keyring)
        apt.install([apt.fetch(package, source=source, uri=REPOSITORY, folder=folder)])


def _fetch_key(target: Path) -> bytes:
    url = f"{REPOSITORY}/gpg"
    try:
        download(url, target, seconds=KEY_SECONDS)
    except LabError as error:
        raise LabError(f"HashiCorp's repository does not answer: {error.message}.") from error
    return choose_key(target.read_bytes(), fingerprint=KEY, source=url)
