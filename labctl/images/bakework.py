"""What all kinds of images need while they are made: parallel tasks, scratch folders, logs."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError

SCRATCH_PREFIX = "labctl-images-"
SCRATCH_SECONDS = 3600.0


def in_parallel(tasks: Sequence[Callable[[], None]], *, jobs: int) -> None:
    """Run tasks in threads, at most `jobs` at once.

    The first error, or Ctrl-C, ends the programs of all tasks.
    """
    failed = threading.Event()
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        if failed.is_set():
            return
        try:
            task()
        except BaseException as error:
            # The others fail because of the first, so their errors are not the cause.
            errors.append(error)
            failed.set()
            raise

    with ThreadPoolExecutor(max_workers=max(1, min(len(tasks), jobs))) as pool:
        futures = [pool.submit(guarded, task) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            if errors:
                raise errors[0]
        except BaseException:
            failed.set()
            # More than once, as a task may be between two programs.
            while not all(future.done() for future in futures):
                process.end_running(grace=10)
                wait(futures, timeout=0.2)
            raise


@contextmanager
def explained(log: Path, *, hint: str) -> Iterator[None]:
    """Say so in plain words if a full disk caused a failure; `hint` says how to free some."""
    try:
        yield
    except process.ProcessError as error:
        if "No space left on device" in log.read_text(encoding="utf-8", errors="replace"):
            raise LabError(
                "The disk is full: the image could not be written.",
                hint=hint,
                log=log,
            ) from error
        raise


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder below `parent` for one image, removed afterwards; any user may enter it."""
    for left in parent.glob(f"{SCRATCH_PREFIX}*"):
        # Left by a labctl that was killed: no step takes that long.
        if time.time() - left.stat().st_mtime > SCRATCH_SECONDS:
            remove_tree(left)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=SCRATCH_PREFIX))
    try:
        # mmdebstrap and apt continue as other users, who must be able to enter it.
        folder.chmod(0o755)
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder, whatever a killed program has left in it.

    A killed mmdebstrap leaves /proc and /sys mounted in its tree.  They are unmounted first; if
    that fails, the folder is left as it is.
    """
    for place in mounts_below(folder):
        process.run(["umount", "--lazy", place], check=False, timeout=30, stoppable=False)
    if not mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def mounts_below(folder: Path, *, table: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Where something is mounted below a folder, the innermost first."""
    lines = table.read_text(encoding="utf-8").splitlines()
    # Blanks and some other characters are octal numbers there.
    places = [re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), line.split()[1]) for line in lines]
    found = [Path(place) for place in places if Path(place).is_relative_to(folder.resolve())]
    return sorted(found, key=lambda place: len(place.parts), reverse=True)


def fresh_log(path: Path) -> Path:
    """An empty log; it replaces the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path
