"""For bin/test: makes the machine ready for labs, and leaves it as it was found.

`start` installs and starts what labs need and prints 'started' if the engine was not running
before; `stop` stops an engine that labctl started.
"""

from __future__ import annotations

import sys

from labctl.engine import ask_engine, ensure_engine, stop_engine
from labctl.errors import LabError
from labctl.host import ensure_host
from labctl.hostneeds import DOCKER


def tell(phase: str, message: str, *, node: str | None = None) -> None:
    """A Progress on standard error."""
    print(f"{phase}: {message}", file=sys.stderr)


def start() -> None:
    ensure_host(DOCKER, progress=tell)
    ran = ask_engine().engine is not None
    ensure_engine(tell)
    print("ran" if ran else "started")


def main(verb: str) -> int:
    try:
        if verb == "start":
            start()
        else:
            stop_engine()
    except LabError as error:
        for line in (error.message, error.hint and f"Hint: {error.hint}", error.log):
            if line:
                print(f"bin/test: {line}", file=sys.stderr)
        print("bin/test: 'bin/test --unit' runs the tests that need no lab.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
