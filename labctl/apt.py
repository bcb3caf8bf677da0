"""This machine's apt: which packages it knows, installing them, borrowing from another release."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from labctl import process
from labctl.debian import KEYRING, load_mirror
from labctl.errors import LabError
from labctl.privilege import run_as_root
from labctl.workdir import state_dir

SECONDS = 1200.0
UPDATE = (
    *("apt-get", "update", "-o", "Acquire::Retries=2"),
    *("-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"),
)
# A fresh machine's unattended upgrades hold dpkg's lock for a while.
INSTALL = (
    *("apt-get", "install", "-y", "--no-install-recommends"),
    *("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=2"),
)
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


def log_file() -> Path:
    """Where apt's output goes."""
    return state_dir() / "apt.log"


def install_line(packages: Iterable[str]) -> str:
    """The command by which a person installs packages, as root."""
    install = process.shell_line(INSTALL[:4] + tuple(packages))
    return f"apt-get update && {install}"


def parse_madison(text: str) -> set[str]:
    """Names of the packages in `apt-cache madison`'s table."""
    rows = (line.split("|") for line in text.splitlines())
    return {row[0].strip() for row in rows if len(row) == 3}


def known_packages(names: Iterable[str]) -> set[str]:
    """Those of `names` that apt could install by what its lists say now."""
    return parse_madison(process.run(["apt-cache", "madison", *names], check=False).output)


def update_lists() -> None:
    """Fetch apt's lists.

    Its exit status says nothing: a third party's list may fail and Debian's still be there.
    """
    run_as_root(UPDATE, what="Updating apt's lists", log=log_file(), timeout=SECONDS, check=False)


def install(packages: Sequence[str | Path]) -> None:
    """Install packages (names, or paths of .deb files) without what they recommend.

    Old lists name files that the mirror no longer has: then they are fetched, and it is tried
    once more.  Errors: LabError with the command to type, or apt's last lines and its log.
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
    """Options that make apt work in `folder` with this source alone, this machine's untouched."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    file = folder / "apart.sources"
    file.write_text(source, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": file,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder,
        # The unprivileged user of apt's downloads may not enter this folder.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def borrow(package: str, *, suite: str, folder: Path) -> Path:
    """Download a package of another Debian release, with lists apart from this machine's own.

    The mirror is this machine's, the signatures are checked as ever.  Errors: LabError.
    """
    words = options_apart(folder, render_source(load_mirror().main, suite))
    process.run(["apt-get", "update", *words], log=log_file(), timeout=SECONDS)
    process.run(
        ["apt-get", "download", package, *words], cwd=folder, log=log_file(), timeout=SECONDS
    )
    found = sorted(folder.glob(f"{re.escape(package)}_*.deb"))
    if not found:
        raise LabError(f"Suite '{suite}' gave no package '{package}'.", log=log_file())
    return found[0]


def install_borrowed(package: str, *, suite: str) -> None:
    """Install a package of another Debian release, which must not need anything else from it."""
    with tempfile.TemporaryDirectory(prefix="labctl-", dir="/var/tmp") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        install([borrow(package, suite=suite, folder=folder)])
