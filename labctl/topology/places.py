"""Where things are: what labctl is made of, and the project in which its labs are.

From a checkout (`bin/labctl`) both are the checkout.  An installed labctl carries what it needs
beside its modules, and its labs are in the project of the folder in which it is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
"""The folder of the packages `labctl` and `provision`: a checkout, or site-packages."""

IS_CHECKOUT = (CODE / "Vagrantfile").is_file()

ROOT = CODE if IS_CHECKOUT else CODE / "labctl" / "kit"
"""The folder of the Vagrantfile, `packer/`, `standins/` and `acceptance/` (setup.py fills it)."""

LABS = ".lab"
"""The folder of a project with its labs."""

CONFIG = "lab.conf"


def find_project(folder: Path, *, state: Path, user: int) -> Path:
    """The project that a folder belongs to: the nearest one that has labs or a lab.conf.

    A folder above `folder` counts only if it belongs to `user`: in /tmp, anybody may put a file.
    Without a project, it is the user's `state` folder.
    """
    for place in (folder, *folder.parents):
        found = (place / LABS).is_dir() or (place / CONFIG).is_file()
        if found and (place == folder or place.stat().st_uid == user):
            return place
    return state


def user_state(home: Callable[[], Path] = Path.home) -> Path:
    """labctl's folder of files that outlive every lab: in XDG_STATE_HOME, if that is absolute.

    `home` is asked for the user's home folder only where it is needed.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named.startswith("/") else home() / ".local" / "state"
    return base / "labctl"


def _current_folder() -> Path:
    """The current folder; the root if it has been removed, which some verbs can bear."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


PROJECT = (
    CODE if IS_CHECKOUT else find_project(_current_folder(), state=user_state(), user=os.geteuid())
)
"""The folder that holds `.lab/`."""


def find_config(folder: Path | None = None, *, project: Path = PROJECT) -> Path | None:
    """The lab.conf that is read if none is named: the current folder's, else the project's.

    From a checkout, only the current folder's.
    """
    if Path(CONFIG).is_file():
        return Path(CONFIG)
    above = (folder or _current_folder()).is_relative_to(project) and not IS_CHECKOUT
    found = project / CONFIG
    return found if above and found.is_file() else None
