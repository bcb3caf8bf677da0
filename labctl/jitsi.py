"""Jitsi's own apt repository: whether it answers, and its key.

Its suites are flat (`stable/`, `testing/`, `unstable/`), without components; see Jitsi's
handbook, "Self-Hosting Guide - Debian/Ubuntu server".
"""

from __future__ import annotations

import hashlib
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from labctl.errors import LabError
from labctl.model import Channel

JITSI_REPOSITORY = "https://download.jitsi.org"
KEY_NAME = "jitsi-key.gpg.key"
KEY_SECONDS = 15.0
ANSWER_SECONDS = 3.0
SILENCE_SECONDS = 600.0
"""How long a repository that did not answer is taken not to answer, so that `up` stays quick."""


def check_jitsi(channel: Channel, *, repository: str = JITSI_REPOSITORY) -> None:
    """LabError unless Jitsi's repository answers."""
    reason = fetch_problem(f"{repository}/{channel}/InRelease")
    if reason is not None:
        raise LabError(
            f"Jitsi's package repository '{repository}' does not answer: {reason}.",
            hint="Use 'packages.source = debs' with a folder of .deb files, or 'stand-ins'.",
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


def fetch_key(*, repository: str = JITSI_REPOSITORY) -> str:
    """The key that signs the repository, in the armoured form that apt takes as it is."""
    url = f"{repository}/{KEY_NAME}"
    try:
        with urllib.request.urlopen(url, timeout=KEY_SECONDS) as response:
            text: str = response.read().decode("ascii")
    except (OSError, ValueError) as error:
        raise LabError(
            f"The key of Jitsi's repository, '{url}', cannot be had: {error}."
        ) from error
    if not text.startswith("-----BEGIN PGP PUBLIC KEY BLOCK"):
        raise LabError(f"What '{url}' gives is not a key.")
    return text


def silence_of(repository: str, channel: Channel, *, cache: Path, force: bool) -> str | None:
    """Why Jitsi's repository cannot be used, None where it answers."""
    memory = cache / f"silent-{hashlib.sha256(repository.encode()).hexdigest()[:8]}-{channel}"
    if not force and memory.is_file() and time.time() - memory.stat().st_mtime < SILENCE_SECONDS:
        return memory.read_text(encoding="utf-8")
    reason = fetch_problem(f"{repository}/{channel}/InRelease")
    if reason is None:
        memory.unlink(missing_ok=True)
    else:
        cache.mkdir(parents=True, exist_ok=True)
        memory.write_text(reason, encoding="utf-8")
    return reason
