"""For bin/test: makes the machine ready for labs, and leaves it as it was found.

`start PROVIDER ...` installs and starts what the tests of these providers need and prints the names
of those whose daemon did not run before; `stop NAME ...` stops those daemons again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labctl import hostneeds
from labctl.docker import engine
from labctl.errors import LabError
from labctl.host import ensure_host
from labctl.hostneeds import Need
from labctl.libvirt import daemon
from labctl.progress import Progress


@dataclass(frozen=True)
class Tested:
    """What the tests of a provider need, and the daemon that answers for it."""

    needs: tuple[Need, ...]
    runs: Callable[[], bool]
    start: Callable[[Progress], object]
    stop: Callable[[], object]


PROVIDERS: Mapping[str, Tested] = {
    # Disks are baked and booted in every run, without libvirt.
    "docker": Tested(
        (*hostneeds.DOCKER, hostneeds.QEMU, *hostneeds.DISKS),
        lambda: engine.ask_engine().engine is not None,
        engine.ensure_engine,
        engine.stop_engine,
    ),
    "libvirt": Tested(
        hostneeds.LIBVIRT,
        lambda: daemon.answers() is None,
        daemon.ensure_daemon,
        daemon.stop_daemons,
    ),
}


def tell(phase: str, message: str, *, node: str | None = None) -> None:
    """A Progress on standard error."""
    print(f"{phase}: {message}", file=sys.stderr)


def start(name: str) -> None:
    tested = PROVIDERS[name]
    ensure_host(tested.needs, progress=tell)
    ran = tested.runs()
    tested.start(tell)
    if not ran:
        print(name, flush=True)


def main(verb: str, names: list[str]) -> int:
    try:
        for name in names:
            if verb == "start":
                start(name)
            else:
                PROVIDERS[name].stop()
    except LabError as error:
        for line in (error.message, error.hint and f"Hint: {error.hint}", error.log):
            if line:
                print(f"bin/test: {line}", file=sys.stderr)
        print("bin/test: 'bin/test --unit' runs the tests that need no lab.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
