"""Jitsi's own apt repository: whether it answers, its key, and the versions that it has.

Its suites are flat (`stable/`, `testing/`, `unstable/`), without components; see Jitsi's
handbook, "Self-Hosting Guide - Debian/Ubuntu server".
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.files import write_json
from labctl.core.openpgp import choose_key
from labctl.images import apt
from labctl.images.download import download, options_for
from labctl.topology.spec import Packages, RepositoryChannel

JITSI_REPOSITORY = "https://download.jitsi.org"

JITSI_KEY = "FFD65A0DA2BEBDEB73D44C8BB4D2D216F1FD7806"
"""Fingerprint of the key that has signed Jitsi's repository since April 2021.

Jitsi does not publish it (jitsi-meet#9084).  Its last sixteen digits are in apt's messages about
the repository's signature (jitsi-videobridge#1634); the whole fingerprint is from others who pin
it (Freifunk Munich's Salt states).  If the repository has a newer key, set `packages.key` to it.
"""

KEY_NAME = "jitsi-key.gpg.key"
KEY_SECONDS = 15.0
ANSWER_SECONDS = 5.0
LISTS_SECONDS = 120.0
SILENCE_SECONDS = 600.0
"""How long a repository that did not answer is not asked again, so that `up` stays fast."""

INSTEAD_HINT = "Use 'packages.source = debs' with a folder of .deb files, or use 'stand-ins'."

# What apt (Debian 12: gpgv, Debian 13: sqv) says about a signature -> what that means.
SIGNATURE_PROBLEMS: Mapping[str, str] = {
    r"EXPKEYSIG|[Ee]xpired|not live": "its key has expired",
    r"NO_PUBKEY|Missing key|not available": "it is signed by another key",
    r"REVKEYSIG|revoked": "its key was revoked",
    r"BADSIG": "its signature is wrong",
}

Versions = Mapping[str, tuple[str, ...]]
"""Package -> its versions in the repository, the newest first."""


@dataclass(frozen=True, slots=True)
class Repository:
    """Jitsi's repository or a mirror of it: address, channel, fingerprint of its key."""

    uri: str = JITSI_REPOSITORY
    channel: RepositoryChannel = RepositoryChannel.STABLE
    key: str = JITSI_KEY

    @classmethod
    def of(cls, packages: Packages) -> Repository:
        return cls(
            packages.repository or JITSI_REPOSITORY,
            packages.channel,
            packages.key or JITSI_KEY,
        )

    @property
    def index(self) -> str:
        return f"{self.uri}/{self.channel}/InRelease"

    @property
    def host(self) -> str:
        """The repository's origin, as apt's pins name it."""
        return re.sub(r"^https?://(?:[^/@]*@)?([^/:]+).*$", r"\1", self.uri)

    def memory(self, cache: Path, kind: str) -> Path:
        """The file in which what is known about this repository is remembered."""
        words = f"{self.uri} {self.channel} {self.key}"
        return cache / f"{kind}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"

    def render_source(self, *, keyring: Path | str) -> str:
        """The repository's deb822 entry, which trusts only the keys in `keyring`."""
        return f"Types: deb\nURIs: {self.uri}\nSuites: {self.channel}/\nSigned-By: {keyring}\n"


def check_jitsi(repository: Repository) -> None:
    """Check that the repository answers.  Errors: LabError if it does not."""
    reason = fetch_problem(repository.index)
    if reason is not None:
        raise LabError(
            f"Jitsi's package repository '{repository.uri}' does not answer: {reason}.",
            hint=INSTEAD_HINT,
        )


def fetch_problem(url: str, *, seconds: float = ANSWER_SECONDS) -> str | None:
    """Why a signed index cannot be fetched from `url` within `seconds`; None if it can."""
    try:
        start = fetch(url, seconds=seconds)[:64]
    except process.ProgramTimeoutError:
        return f"no answer within {seconds:.0f} s"
    except LabError as error:
        return error.message
    signed = start.startswith(b"-----BEGIN PGP SIGNED MESSAGE")
    return None if signed else "it is not an apt repository"


def fetch(url: str, *, seconds: float) -> bytes:
    """What is at `url`, as apt gets it.  Errors: LabError, ProgramTimeoutError."""
    with tempfile.TemporaryDirectory(prefix="labctl-", dir="/var/tmp") as scratch:
        target = Path(scratch) / "file"
        download(url, target, seconds=seconds)
        return target.read_bytes()


def fetch_keyring(repository: Repository) -> bytes:
    """A keyring with the repository's pinned key and no other.  Errors: LabError."""
    url = f"{repository.uri}/{KEY_NAME}"
    try:
        data = fetch(url, seconds=KEY_SECONDS)
    except LabError as error:
        raise LabError(
            f"The key of Jitsi's repository, '{url}', cannot be fetched: {error.message}.",
            hint=INSTEAD_HINT,
        ) from error
    return choose_key(data, fingerprint=repository.key, source=url)


def silence_of(repository: Repository, *, cache: Path, force: bool) -> str | None:
    """Why Jitsi's repository cannot be used; None if it answers."""
    memory = repository.memory(cache, "silent")
    if not force and memory.is_file() and time.time() - memory.stat().st_mtime < SILENCE_SECONDS:
        return memory.read_text(encoding="utf-8")
    reason = fetch_problem(repository.index)
    if reason is None:
        memory.unlink(missing_ok=True)
    else:
        cache.mkdir(parents=True, exist_ok=True)
        memory.write_text(reason, encoding="utf-8")
    return reason


def known_versions(repository: Repository, *, cache: Path) -> Versions | None:
    """The repository's versions when it was last asked; None if it never was."""
    try:
        data = json.loads(repository.memory(cache, "versions").read_text(encoding="utf-8"))
        return {str(name): tuple(versions) for name, versions in data.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def ask_versions(repository: Repository, names: Iterable[str], *, cache: Path) -> Versions:
    """Ask the repository which versions of `names` it has; apt checks its signature.

    The answer is remembered in `cache`.  Errors: LabError if the repository does not answer, or is
    not signed by the pinned key.
    """
    wanted = tuple(names)
    check_jitsi(repository)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="labctl-lists-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        keyring = folder / "jitsi.gpg"
        keyring.write_bytes(fetch_keyring(repository))
        words = apt.options_apart(folder, repository.render_source(keyring=keyring))
        words += options_for(repository.uri)
        update = ["apt-get", "update", *words, "-o", "APT::Update::Error-Mode=any"]
        result = process.run(update, timeout=LISTS_SECONDS, check=False)
        if result.code != 0:
            raise _refused(repository, result.errors or result.output)
        # An empty status file: for this look-up, no package is installed.
        status = folder / "status"
        status.touch()
        words += ["-o", f"Dir::State::Status={status}"]
        table = process.run(["apt-cache", "madison", *wanted, *words], check=False).output
    found = parse_versions(table)
    versions = {name: found.get(name, ()) for name in wanted}
    write_json(repository.memory(cache, "versions"), versions)
    return versions


def parse_versions(table: str) -> Versions:
    """The answer of `apt-cache madison`, which has the newest version of a package first."""
    found: dict[str, list[str]] = {}
    for line in table.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 3 and fields[1] not in found.setdefault(fields[0], []):
            found[fields[0]].append(fields[1])
    return {name: tuple(versions) for name, versions in found.items()}


def parse_signature_problem(text: str) -> str | None:
    """What apt's output says about a repository's signature; None if it says nothing."""
    if not re.search(r"GPG error|OpenPGP|signature|not signed|sqv", text):
        return None
    for pattern, meaning in SIGNATURE_PROBLEMS.items():
        if re.search(pattern, text):
            return meaning
    return "its signature cannot be verified"


def _refused(repository: Repository, text: str) -> LabError:
    said = "".join(f"\n    {line}" for line in text.strip().splitlines()[-process.TAIL_LINES :])
    problem = parse_signature_problem(text)
    if problem is None:
        return LabError(f"Jitsi's repository '{repository.uri}' cannot be read.{said}")
    return LabError(
        f"Jitsi's repository '{repository.uri}' cannot be trusted: {problem}.{said}",
        hint=f"labctl trusts only the key '{repository.key}'; set 'packages.key' to use another.",
    )
