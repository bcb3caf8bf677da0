"""The lock on a lab: one command at a time works on it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from labctl.core.errors import LabError
from labctl.topology.workdir import Workdir


@contextmanager
def locked(workdir: Workdir, *, what: str) -> Iterator[None]:
    """Hold the lab for the duration of one command.

    The lock is the kernel's, so it is released when its holder ends, however that happens.  Its
    file says who holds it, and goes with the lab's folder; a folder in which the command has left
    nothing goes, too.  Errors: LabError that names the holder,
    and since when it holds the lab, if another command has it.
    """
    with _lock_file(workdir) as file:
        _make_folder(workdir)
        file.truncate(0)
        file.write(f"{os.getpid()} {time.time():.0f} {what}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
            with suppress(OSError):  # it holds a lab, or has gone
                workdir.path.rmdir()
            if not workdir.path.exists():
                Path(file.name).unlink(missing_ok=True)


def _make_folder(workdir: Workdir) -> None:
    try:
        workdir.path.mkdir(exist_ok=True)  # the lock is beside it already
    except FileExistsError as error:
        raise LabError(
            f"'{workdir.path}' is not a folder, so there can be no lab '{workdir.lab}'.",
            hint="Remove it, or use another name with '--lab NAME'.",
        ) from error
    except OSError as error:
        raise LabError(f"'{workdir.path}' cannot be made: {error.strerror}.") from error


def _lock_file(workdir: Workdir) -> IO[str]:
    """The lab's lock file, open and locked.  Errors: LabError."""
    path = workdir.path.parent / f".{workdir.lab}.lock"
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise LabError(
                f"'{path}' cannot be opened: {error.strerror}.",
                hint="labctl must be able to write there.",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _held(workdir, file) from None
        # A 'destroy' may have removed the file between these two steps.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def _held(workdir: Workdir, file: IO[str]) -> LabError:
    with file:
        file.seek(0)
        text = file.read()
    hint = "Wait until it ends, or use another lab with '--lab NAME'."
    match text.strip().split(" ", 2):
        case [pid, began, what] if pid.isdecimal() and began.isdecimal():
            age = render_age(time.time() - int(began))
            holder = f"'labctl {what}' (process {pid}), which began {age} ago"
        case _:
            holder = "another labctl"
    return LabError(f"Lab '{workdir.lab}' is held by {holder}.", hint=hint)


def render_age(seconds: float) -> str:
    """How long something has lasted, for people; negative after the clock was set back."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"
