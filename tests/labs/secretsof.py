"""Every secret of a lab, where it may be, and a watch on what processes show meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labctl.report.redact import secret_values

MAY_HOLD = ("secrets.json", "ca", "ssh", "tree")
"""What is meant to hold secrets in a lab's folder, by the first part of its path."""

SHORTEST = 16


def secrets_of(folder: Path) -> dict[bytes, str]:
    """Every secret of a lab, with where it is from.  Salts are none: they are public by design."""
    data = json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
    data.pop("salts")
    found = {text.encode(): "secrets.json" for text in secret_values(data)}
    keys = [*folder.glob("ca/*.key"), *folder.glob("ssh/**/*ed25519")]
    for path in keys:
        # A line from the middle of a key: unlike the first one, no other key has it.
        lines = [line for line in path.read_bytes().splitlines() if b"PRIVATE KEY" not in line]
        found[lines[len(lines) // 2]] = str(path.relative_to(folder))
    assert len(found) > len(keys) > 2
    assert all(len(secret) >= SHORTEST for secret in found)
    return found


def seen_in(data: bytes, secrets: dict[bytes, str]) -> list[str]:
    """The secrets that are in some data, by where they are from."""
    return [name for secret, name in secrets.items() if secret in data]


def files_with(folder: Path, secrets: dict[bytes, str], *, may: tuple[str, ...] = ()) -> list[str]:
    """The files below a folder that hold a secret, except those that `may`."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).parts[0] not in may:
            found += [f"{path}: {name}" for name in seen_in(path.read_bytes(), secrets)]
    return found


class Watch:
    """What processes showed, and how many were looked at."""

    def __init__(self, secrets: dict[bytes, str]) -> None:
        self.secrets = secrets
        self.shown: set[str] = set()
        self.processes: set[str] = set()

    def look(self) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    data = (process / name).read_bytes()
                    self.processes.add(data.partition(b"\0")[0].decode(errors="replace"))
                    for secret in seen_in(data, self.secrets):
                        words = data.replace(b"\0", b" ")[:80].decode(errors="replace")
                        self.shown.add(f"{name} of '{words}': {secret}")


@contextmanager
def watching(secrets: dict[bytes, str], *, every: float = 0.03) -> Iterator[Watch]:
    """Look at the arguments and environments of all processes, again and again."""
    watch, done = Watch(secrets), threading.Event()

    def run() -> None:
        while not done.wait(every):
            watch.look()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
