"""Jitsi's own apt repository: whether it answers, its key, and the versions that it holds.

Its suites are flat (`stable/`, `testing/`, `unstable/`), without components; see Jitsi's
handbook, "Self-Hosting Guide - Debian/Ubuntu server".
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import apt, process
from labctl.errors import LabError
from labctl.model import Channel, Packages
from labctl.openpgp import choose_key
from labctl.workdir import write_json

JITSI_REPOSITORY = "https://download.jitsi.org"

JITSI_KEY = "FFD65A0DA2BEBDEB73D44C8BB4D2D216F1FD7806"
"""Fingerprint of the key that has signed Jitsi's repository since April 2021.

Jitsi does not publish it (jitsi-meet#9084).  Its last sixteen digits stand in what apt says of
the repository's signature (jitsi-videobridge#1634); the whole is from those who pin it
(Freifunk Munich's Salt states).  Where the repository has a newer key, `packages.key` names it.
"""

KEY_NAME = "jitsi-key.gpg.key"
KEY_SECONDS = 15.0
ANSWER_SECONDS = 3.0
LISTS_SECONDS = 120.0
SILENCE_SECONDS = 600.0
"""How long a repository that did not answer is taken not to answer, so that `up` stays quick."""

INSTEAD_HINT = "Use 'packages.source = debs' with a folder of .deb files, or 'stand-ins'."

# What apt (Debian 12: gpgv, Debian 13: sqv) says of a signature -> what that means.
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
    channel: Channel = Channel.STABLE
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
        """What apt's pins call the repository's origin."""
        return re.sub(r"^https?://(?:[^/@]*@)?([^/:]+).*$", r"\1", self.uri)

    def memory(self, cache: Path, kind: str) -> Path:
        """The file in which something about this repository is remembered."""
        words = f"{self.uri} {self.channel} {self.key}"
        return cache / f"{kind}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"

    def render_source(self, *, keyring: Path | str) -> str:
        """The repository's deb822 entry, which trusts the keys in `keyring` alone."""
        return f"Types: deb\nURIs: {self.uri}\nSuites: {self.channel}/\nSigned-By: {keyring}\n"


def check_jitsi(repository: Repository) -> None:
    """LabError unless the repository answers."""
    reason = fetch_problem(repository.index)
    if reason is not None:
        raise LabError(
            f"Jitsi's package repository '{repository.uri}' does not answer: {reason}.",
            hint=INSTEAD_HINT,
        )


def fetch_problem(url: str, *, seconds: float = ANSWER_SECONDS) -> str | None:
    """Why a signed index cannot be fetched from `url` within `seconds`; None where it can."""
    answer: list[str | None] = []

    def fetch() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as response:
                start = response.read(64)
            signed = start.startswith(b"-----BEGIN PGP SIGNED MESSAGE")
            answer.append(None if signed else "what answers is not an apt repository")
        except urllib.error.HTTPError as error:
            error.close()
            answer.append(f"HTTP status {error.code}")
        except (OSError, ValueError) as error:
            answer.append(str(getattr(error, "reason", error)))

    # In a thread, as urllib's deadline does not cover the look-up of the name.
    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else f"nothing within {seconds:.0f} s"


def fetch_keyring(repository: Repository) -> bytes:
    """A keyring that holds the repository's pinned key and no other.  Errors: LabError."""
    url = f"{repository.uri}/{KEY_NAME}"
    try:
        with urllib.request.urlopen(url, timeout=KEY_SECONDS) as response:
            data: bytes = response.read()
    except (OSError, ValueError) as error:
        raise LabError(
            f"The key of Jitsi's repository, '{url}', cannot be had: {error}.", hint=INSTEAD_HINT
        ) from error
    return choose_key(data, fingerprint=repository.key, source=url)


def silence_of(repository: Repository, *, cache: Path, force: bool) -> str | None:
    """Why Jitsi's repository cannot be used, None where it answers."""
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
    """What the repository held when it was asked last; None where it never was."""
    try:
        data = json.loads(repository.memory(cache, "versions").read_text(encoding="utf-8"))
        return {str(name): tuple(versions) for name, versions in data.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def ask_versions(repository: Repository, names: Iterable[str], *, cache: Path) -> Versions:
    """Ask the repository which versions of `names` it holds, its signature checked by apt.

    The answer is remembered in `cache`.  Errors: LabError where it does not answer, or is not
    signed by the pinned key.
    """
    wanted = tuple(names)
    check_jitsi(repository)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="labctl-lists-", dir=cache) as scratch:
        folder = Path(scratch)
        keyring = folder / "jitsi.gpg"
        keyring.write_bytes(fetch_keyring(repository))
        words = apt.options_apart(folder, repository.render_source(keyring=keyring))
        update = ["apt-get", "update", *words, "-o", "APT::Update::Error-Mode=any"]
        result = process.run(update, timeout=LISTS_SECONDS, check=False)
        if result.code != 0:
            raise _refused(repository, result.errors or result.output)
        # No package is installed as far as this look-up goes: an empty status file.
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
    """What apt's words say of a repository's signature, None where they say nothing of it."""
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
        f"Jitsi's repository '{repository.uri}' is not to be trusted: {problem}.{said}",
        hint=f"labctl trusts the key '{repository.key}' alone; 'packages.key' names another.",
    )
