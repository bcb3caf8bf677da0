"""Whether the engine sees this machine's files: a lab's keys and a bake's input are bind mounts.

An engine that answers over TCP, or one that is asked from inside a container, may have another file
system.  It is asked to mount a file that was just made: it refuses a path that it does not have,
before anything is started.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.process import run
from labctl.host.trial import trial_name
from labctl.topology.workdir import ROOT

CONTAINER_MARK = Path("/.dockerenv")
"""A file that Docker puts into every container."""

PROC = Path("/proc")
EMPTY_TAR = "\0" * 1024
"""The end of a tar archive, and so an archive without files."""

NO_SOURCE = "bind source path does not exist"
HINT = (
    "Mount this folder at the same path in the engine's container, or put the project where both"
    " see it (GitLab's runners: below /builds)."
)


def is_doubtful(endpoint: str, *, mark: Path = CONTAINER_MARK, processes: Path = PROC) -> bool:
    """Whether an engine at this address may have other files than this process.

    Behind a socket, in a container, is an engine of this container, or its host's.
    """
    if urlsplit(endpoint).scheme in ("tcp", "http", "https", "ssh"):
        return True
    return mark.exists() and not any(_names(processes))


def _names(processes: Path) -> Iterator[bool]:
    """For each process that is seen from here, whether it is an engine."""
    for path in processes.glob("[0-9]*/comm"):
        # It may have ended meanwhile.
        with suppress(OSError):
            yield path.read_text(encoding="utf-8", errors="replace").strip() == "dockerd"


def refuse_files(endpoint: str, *, folder: Path = ROOT) -> LabError | None:
    """Why no lab can run on an engine that does not see the project's folder; None if it does.

    Changes nothing that stays.  Errors: LabError of the engine.
    """
    if not is_doubtful(endpoint) or sees(folder):
        return None
    return LabError(
        f"The Docker engine at '{endpoint or 'the usual socket'}' does not see the folder"
        f" '{folder}', from which nodes and bakes get files.",
        hint=HINT,
        finding=Finding.ENGINE_FILES,
    )


def sees(folder: Path) -> bool:
    """Whether the engine finds a file that is made in a folder now."""
    name = trial_name()
    words = ["docker", "import", "-", f"{name}:empty"]
    image = run(words, stdin=EMPTY_TAR, timeout=60).output.strip()
    try:
        with tempfile.NamedTemporaryFile(prefix=".labctl-seen-", dir=folder) as file:
            mount = mount_words(Path(file.name))
            create = ["docker", "create", "--name", name, "--mount", mount, image, "/nothing"]
            made = run(create, check=False, timeout=60)
        if made.code != 0 and NO_SOURCE not in made.errors:
            raise LabError(f"The Docker engine makes no container: {made.errors.strip()}")
        return made.code == 0
    finally:
        for words in (["rm", "--force", name], ["rmi", "--force", image]):
            run(["docker", *words], check=False, timeout=60, stoppable=False)


def mount_words(path: Path) -> str:
    """The value of `--mount` for a file; Docker reads it as a line of CSV."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        ["type=bind", f"source={path}", "target=/seen", "readonly"]
    )
    return line.getvalue()
