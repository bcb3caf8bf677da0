"""Run what only root may run: as root or through sudo; else tell the user the command."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from labctl.core import process
from labctl.core.errors import LabError

# Debian keeps programs that only root needs (dockerd, service) out of other users' PATH.
ROOT_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


class Privilege(StrEnum):
    """How this process can act as root."""

    ROOT = "root"
    SUDO = "sudo without a password"
    ASK = "sudo, which asks for a password"
    NONE = "none"


def find_privilege() -> Privilege:
    """How this process can act as root; starts sudo to learn whether it asks for a password."""
    if os.geteuid() == 0:
        return Privilege.ROOT
    if shutil.which("sudo") is None:
        return Privilege.NONE
    # One that hangs, such as for a name server, may still ask on a terminal.
    with suppress(process.ProgramTimeoutError):
        if process.run(["sudo", "-n", "true"], check=False, timeout=20).code == 0:
            return Privilege.SUDO
    return Privilege.ASK if sys.stdin is not None and sys.stdin.isatty() else Privilege.NONE


def find_program(name: str) -> str | None:
    """The path of a program; root's folders of programs are searched as well."""
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

    `what` completes the sentence "... needs root".  Errors: LabError with the exact command if
    there is neither root nor sudo; ProcessError if the program fails and `check` is set.
    """
    privilege = find_privilege()
    settings = [f"{name}={value}" for name, value in (env or {}).items()]
    command = ["env", *settings, *argv]
    match privilege:
        case Privilege.NONE:
            raise LabError(
                f"{what} needs root, and sudo cannot be used here.",
                hint=f"Run as root: {root_line(argv, env=env)}",
            )
        case Privilege.ASK:
            # On the terminal, or sudo could not ask; to standard error, to keep it apart from data.
            asking = ["sh", "-c", 'exec sudo "$@" >&2', "sh", *command]
            code = process.pass_through(asking, cwd=Path.cwd(), env={})
            if check and code != 0:
                raise process.failure(process.Result(tuple(map(str, argv)), code, ""))
            return code
        case Privilege.ROOT:
            return process.run(command, log=log, timeout=timeout, check=check).code
        case Privilege.SUDO:
            command = ["sudo", "-n", *command]
            return process.run(command, log=log, timeout=timeout, check=check).code
        case _:
            assert_never(privilege)
