"""For bin/test: makes the machine ready for labs, runs pytest, and leaves all as it was found.

    python -m tests.prepare PROVIDER[,PROVIDER ...] PYTEST'S ARGUMENTS

Installs and starts what the tests of these providers need.  A process of its own cleans
(`tests.leftovers`), so nothing is left behind even if bin/test and pytest are killed.  The exit
status is pytest's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any

from labctl.core.errors import LabError
from labctl.host.install import ensure_host
from labctl.topology.workdir import ROOT
from tests.daemons import PROVIDERS
from tests.leftovers import MARK, Found, complain, find, tell


def start_cleaner(found: Found) -> tuple[subprocess.Popen[str], IO[str]]:
    """The process that cleans, and its input, whose end it waits for."""
    cleaner = subprocess.Popen(
        [sys.executable, "-m", "tests.leftovers"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert cleaner.stdin is not None
    cleaner.stdin.write(found.to_json() + "\n")
    cleaner.stdin.flush()
    return cleaner, cleaner.stdin


def run_tests(found: Found, arguments: Sequence[str], *, held: IO[str]) -> int:
    """pytest's exit status; it holds the cleaner's input too, for the case that we are killed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT,
        env={**os.environ, MARK: found.run},
        pass_fds=(held.fileno(),),
    )
    for kind in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, lambda number, _: child.send_signal(number))
    code = wait_for(child)
    return code if code >= 0 else 128 - code


def wait_for(child: subprocess.Popen[Any]) -> int:
    """The exit status of a child that decides itself what Ctrl-C means."""
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            tell("bin/test", "interrupted; what the tests have left is removed")


def main(providers: Sequence[str], arguments: Sequence[str]) -> int:
    try:
        for name in providers:
            ensure_host(PROVIDERS[name].needs, progress=tell)
        found = find(providers)
    except LabError as error:
        return refuse(error)
    cleaner, held = start_cleaner(found)
    try:
        for name in providers:
            PROVIDERS[name].start(tell)
        return run_tests(found, arguments, held=held)
    except LabError as error:
        return refuse(error)
    finally:
        held.close()
        wait_for(cleaner)


def refuse(error: LabError) -> int:
    complain(error)
    tell("bin/test", "'bin/test --unit' runs the tests that need no lab.")
    return 1


if __name__ == "__main__":
    sys.exit(main(list(filter(None, sys.argv[1].split(","))), sys.argv[2:]))
