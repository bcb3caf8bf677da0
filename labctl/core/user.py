"""The user who runs labctl: a name and a home folder, also where the system knows neither.

Containers and CI runners start programs under a number that no user database has, without HOME, or
with a HOME that cannot be written.  Vagrant, Packer and Docker's client all need a home.
"""

from __future__ import annotations

import os
import pwd
import resource
from contextlib import suppress
from pathlib import Path

from labctl.core.errors import LabError, UsageError

MOST_FILES = 65536
"""More open files than this are of no use, and some programs close each possible one."""


def user_name() -> str:
    """The user's name; '#' and the number if no database has one."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"#{os.geteuid()}"


def ensure_home() -> Path:
    """The user's home folder, which this process and its programs then have in HOME.

    It is HOME, else that of the user database, else a private folder of this user below /var/tmp.
    Errors: LabError if somebody else has that folder.
    """
    found = _first_usable()
    if found is None:
        found = Path("/var/tmp") / f"labctl-home-{os.getuid()}"
        found.mkdir(mode=0o700, exist_ok=True)
        status = found.lstat()
        if found.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise LabError(
                f"This user has no home folder, and '{found}' is not this user's private folder.",
                hint="Set HOME to a folder that you may write.",
            )
    os.environ["HOME"] = str(found)
    return found


def _first_usable() -> Path | None:
    named = [os.environ.get("HOME", "")]
    with suppress(KeyError):
        named.append(pwd.getpwuid(os.getuid()).pw_dir)
    for name in named:
        if name.startswith("/") and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return None


def expand(path: str) -> Path:
    """A path in which '~' is a home folder.  Errors: UsageError for one that is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"'{path}' names a home folder that this system does not know.",
            hint="Write the whole path.",
        ) from None


def raise_file_limit() -> int:
    """Let this process and its programs open as many files as they may; returns the number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
