"""For bin/test: what this machine had before the tests, and the removal of what they left.

    python -m tests.leftovers

reads what `find` found from its standard input, waits for the end of that input, and cleans.
bin/test and pytest hold the other end: the input ends when both have gone, however they ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.waiting import Deadline, wait_until
from labctl.lab.current import current_lab, make_current
from labctl.lab.remove import tear_down
from labctl.topology.lock import locked
from labctl.topology.workdir import ROOT, Workdir
from tests.daemons import PROVIDERS

MARK = "LABCTL_TEST_RUN"
"""In the environment of pytest and of every process that it starts, directly or not."""

NAMES = ("selftest", "vmtest", "vmother", "gate-")
"""How the names of the tests' labs begin: a developer's own lab is left alone."""

GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """The machine before a run: the labs of this checkout, and daemons that did not run."""

    run: str
    labs: tuple[str, ...] = ()
    current: str = ""
    stopped: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def find(providers: Sequence[str]) -> Found:
    """What there is now, under a new name for the run."""
    return Found(
        run=uuid.uuid4().hex,
        labs=tuple(find_labs()),
        current=current_lab(),
        stopped=tuple(name for name in providers if not PROVIDERS[name].runs()),
    )


def find_labs(root: Path = ROOT) -> Iterator[str]:
    """The labs in this checkout that have names of tests' labs."""
    folder = root / ".lab"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(NAMES) and path.is_dir():
            yield path.name


def clean(found: Found, *, root: Path = ROOT) -> None:
    """Make the machine what it was: processes, labs, the current lab, daemons."""
    end_processes(found.run)
    if os.environ.get("LABCTL_KEEP"):
        return
    for name in find_labs(root):
        if name not in found.labs:
            remove(Workdir.of(name, root=root))
    before = Workdir.of(found.current, root=root)
    if before.exists() and current_lab() != found.current:
        make_current(before)
    for name in found.stopped:
        stop(name)


def stop(name: str) -> None:
    """Stop a daemon that the tests have started, unless somebody else uses it by now."""
    daemon = PROVIDERS[name]
    used = daemon.used() if daemon.runs() else ()
    if used:
        tell("bin/test", f"{name} is left running, for others use it: {', '.join(used)}")
        return
    daemon.stop()


def remove(folder: Workdir) -> None:
    tell("bin/test", f"removing lab '{folder.lab}', which the tests have left")
    try:
        with locked(folder, what="destroy"):
            tear_down(folder, progress=tell, forget=True)
    except LabError as error:
        complain(error)


def end_processes(run: str) -> None:
    """End what a killed run has left running, such as a `labctl up` and its children."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes(run):
            with suppress(ProcessLookupError):
                os.kill(pid, kind)
        deadline = Deadline.after(GRACE_SECONDS)
        if wait_until(lambda: not any(processes(run)), deadline=deadline, interval=0.1):
            return


def processes(run: str) -> Iterator[int]:
    """The processes of a run, by their environment; zombies have none."""
    wanted = f"{MARK}={run}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def tell(phase: str, message: str, *, node: str | None = None) -> None:
    """A Progress on standard error."""
    sys.stderr.write(f"{phase}: {message}\n")


def complain(error: LabError) -> None:
    for line in (error.message, error.hint and f"Hint: {error.hint}", error.log):
        if line:
            tell("bin/test", str(line))


def main() -> None:
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)
    found = Found(**json.loads(sys.stdin.readline()))
    sys.stdin.read()
    try:
        clean(found)
    except LabError as error:
        complain(error)


if __name__ == "__main__":
    main()
