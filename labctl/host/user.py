"""Whether the user who runs labctl can use what a lab needs."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labctl.core.checks import Check, CheckStatus, Fix, free_mib, refused
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.user import ensure_home, user_name

SCRATCH_LEAST_MIB = 64
FEW_FILES = 1024


def unknown_user() -> LabError | None:
    """The error for a user whom the system does not know; None for one whom it knows.

    OpenSSH's client then says "No user exists for uid" and does nothing else.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        uid, gid = os.getuid(), os.getgid()
        return LabError(
            f"This user, number {uid}, is in no user database, so ssh refuses to reach nodes.",
            hint=f"Run as root: echo 'lab:x:{uid}:{gid}::{ensure_home()}:/bin/sh' >> /etc/passwd",
            finding=Finding.USER_UNKNOWN,
        )
    return None


def check_user() -> Check:
    """Check that ssh accepts the user."""
    error = unknown_user()
    if error is not None:
        return refused("user", error, otherwise=Finding.USER_UNKNOWN)
    return Check("user", CheckStatus.OK, user_name())


def check_home(home: Path, *, noexec: bool) -> Check:
    """Check the home folder, in which Packer and Vagrant keep plugins, which are programs."""
    if not noexec:
        return Check("home", CheckStatus.OK, str(home))
    hint = "Set PACKER_PLUGIN_PATH and VAGRANT_HOME to folders where programs may run."
    found = f"'{home}' is mounted noexec, so plugins of Packer and Vagrant cannot run there"
    return Check("home", CheckStatus.WARN, found, hint, Finding.HOME_NOEXEC)


def check_scratch(folder: Path) -> Check:
    """Check a folder of temporary files."""
    name = f"disk, {folder}"
    free = free_mib(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = Fix(("chmod", "1777", str(folder)), f"everybody may write to '{folder}'")
        found, finding = "not writable", Finding.FOLDER_UNWRITABLE
        return Check(name, CheckStatus.FAIL, found, fix.hint, finding, fix)
    if free < SCRATCH_LEAST_MIB:
        hint = f"Free some space there: at least {SCRATCH_LEAST_MIB} MiB."
        return Check(name, CheckStatus.FAIL, f"{free} MiB free", hint, Finding.DISK_FULL)
    return Check(name, CheckStatus.OK, f"{free / 1024:.1f} GiB free")


def check_folders() -> Iterator[Check]:
    """Check the folders that every lab uses besides its own: home and temporary files."""
    home = ensure_home()
    yield check_home(home, noexec=bool(os.statvfs(home).f_flag & os.ST_NOEXEC))
    yield from map(check_scratch, dict.fromkeys((Path(tempfile.gettempdir()), Path("/var/tmp"))))


def check_files(limit: int) -> Check:
    """Check how many files a program may open; `limit` is what labctl has raised it to."""
    if limit < FEW_FILES:
        hint = f"Raise it, as root: ulimit -Hn {FEW_FILES} (a large crowd needs more)."
        found = f"at most {limit}"
        return Check("open files", CheckStatus.WARN, found, hint, Finding.FILES_FEW)
    return Check("open files", CheckStatus.OK, f"at most {limit}")
