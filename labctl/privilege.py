"""What only root may do: as root, through sudo, or not at all, with the command for the user."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from labctl import process
from labctl.errors import LabError

# Debian keeps what only root needs (dockerd, service) out of other users' PATH.
ROOT_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


class Privilege(StrEnum):
    """How this process can act as root."""

    ROOT = "root"
    SUDO = "sudo without a password"
    ASK = "sudo, which asks for a password"
    NONE = "none"


def find_privilege() -> Privilege:
    """How this process can act as root; starts sudo to learn whether it wants a password."""
    if os.geteuid() == 0:
        return Privilege.ROOT
    if shutil.which("sudo") is None:
        return Privilege.NONE
    if process.run(["sudo", "-n", "true"], check=False, timeout=20).code == 0:
        return Privilege.SUDO
    return Privilege.ASK if sys.stdin is not None and sys.stdin.isatty() else Privilege.NONE


def find_program(name: str) -> str | None:
    """The path of a program, looked for where root's programs are, too."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), ROOT_PATH)))


def root_line(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> str:
    """The command that a person types as root."""
    settings = [f"{name}={value}" for name, value in (env or {}).items()]
    return process.shell_line(["env", *settings, *argv] if settings else argv)


def run_as_root(
    argv: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> int:
    """Run a program as root and return its exit status.

    `what` completes the sentence "... needs root".  Errors: LabError with the exact command
    where there is neither root nor sudo; ProcessError when it fails while `check` is set.
    """
    privilege = find_privilege()
    settings = [f"{name}={value}" for name, value in (env or {}).items()]
    command = ["env", *settings, *argv]
    if privilege is Privilege.NONE:
        raise LabError(
            f"{what} needs root, and there is no sudo that can be used here.",
            hint=f"Run as root: {root_line(argv, env=env)}",
        )
    if privilege is Privilege.ASK:
        # On the terminal itself, or sudo cannot ask; to standard error, or data gets mixed up.
        asking = ["sh", "-c", 'exec sudo "$@" >&2', "sh", *command]
        code = process.pass_through(asking, cwd=Path.cwd(), env={})
        if check and code != 0:
            raise process.failure(process.Result(tuple(map(str, argv)), code, ""))
        return code
    prefix = ["sudo", "-n"] if privilege is Privilege.SUDO else []
    return process.run([*prefix, *command], log=log, timeout=timeout, check=check).code
