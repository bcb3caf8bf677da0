"""This machine's apt: known packages, installing, and taking a package from another release."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.privilege import run_as_root
from labctl.images.debian import KEYRING, load_mirror
from labctl.images.download import options_for
from labctl.topology.workdir import state_dir

SECONDS = 1200.0
UPDATE = (
    *("apt-get", "update", "-o", "Acquire::Retries=2"),
    *("-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"),
)
# On a fresh machine, unattended upgrades hold dpkg's lock for a while.
# Nothing of the user's is removed to make room: podman-docker or docker-ce, for instance.
INSTALL = (
    *("apt-get", "install", "-y", "--no-install-recommends"),
    *("--no-remove", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"),
)
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


def log_file() -> Path:
    """The file for apt's output."""
    return state_dir() / "apt.log"


def install_line(packages: Iterable[str]) -> str:
    """The command to install packages, as root."""
    install = process.shell_line(INSTALL[:4] + tuple(packages))
    return f"apt-get update && {install}"


def parse_madison(text: str) -> set[str]:
    """Names of the packages in `apt-cache madison`'s table."""
    rows = (line.split("|") for line in text.splitlines())
    return {row[0].strip() for row in rows if len(row) == 3}


def known_packages(names: Iterable[str]) -> set[str]:
    """Those of `names` that apt can install, according to its present lists."""
    return parse_madison(process.run(["apt-cache", "madison", *names], check=False).output)


def update_lists() -> None:
    """Fetch apt's lists.

    The exit status is ignored: a third party's list may fail while Debian's are fetched.
    """
    run_as_root(UPDATE, what="Updating apt's lists", log=log_file(), timeout=SECONDS, check=False)


def install(packages: Sequence[str | Path]) -> None:
    """Install packages (names, or paths of .deb files) without their recommendations.

    Old lists may name files that the mirror no longer has.  If the installation fails, the lists
    are fetched and it is tried once more.  Errors: LabError with the command to type, or with
    apt's last lines and its log.
    """
    what = f"Installing {', '.join(repr(str(name)) for name in packages)}"
    for final in (False, True):
        code = run_as_root(
            [*INSTALL, *packages],
            what=what,
            env=QUIET,
            log=log_file(),
            timeout=SECONDS,
            check=final,
        )
        if code == 0:
            return
        update_lists()


def render_source(uri: str, suite: str) -> str:
    """A deb822 entry for Debian's own packages of a suite."""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYRING}\n"


def options_apart(folder: Path, source: str) -> list[str]:
    """Options that make apt work in `folder` with this source only, apart from this machine's."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    file = folder / "apart.sources"
    file.write_text(source, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": file,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder,
        # apt's unprivileged user for downloads may not enter this folder.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def fetch(package: str, *, source: str, uri: str, folder: Path) -> Path:
    """Download a package from a source of its own, with lists apart from this machine's.

    Signatures are checked as usual; `uri` is the source's address.  Errors: LabError.
    """
    words = options_apart(folder, source) + options_for(uri)
    process.run(["apt-get", "update", *words], log=log_file(), timeout=SECONDS)
    process.run(
        ["apt-get", "download", package, *words], cwd=folder, log=log_file(), timeout=SECONDS
    )
    found = sorted(folder.glob(f"{re.escape(package)}_*.deb"))
    if not found:
        raise LabError(f"'{uri}' has no package '{package}'.", log=log_file())
    return found[0]


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder for a download that apt's own user, too, may enter."""
    with tempfile.TemporaryDirectory(prefix="labctl-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        yield folder


def install_borrowed(package: str, *, suite: str) -> None:
    """Install a package of another Debian release, which must not need anything else from it.

    It comes from this machine's mirror.  Errors: LabError.
    """
    mirror = load_mirror()
    with folder_for_all() as folder:
        source = render_source(mirror.main, suite)
        install([fetch(package, source=source, uri=mirror.main, folder=folder)])
