"""Which lab is meant when none is named: `.lab/current` points to the one used last."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labctl.workdir import ROOT, Workdir

DEFAULT_LAB = "default"
CURRENT = ROOT / ".lab" / "current"
# Plain `vagrant` in the project's root keeps its state here; it must be the current lab's.
PLAIN_VAGRANT = ROOT / ".vagrant"


def current_lab() -> str:
    """The name of the lab used last, 'default' where there was none."""
    try:
        return CURRENT.readlink().name
    except OSError:
        return DEFAULT_LAB


def make_current(workdir: Workdir) -> None:
    """From now on this lab is meant when none is named, by labctl and by plain vagrant."""
    workdir.vagrant.mkdir(parents=True, exist_ok=True)
    _point(CURRENT, workdir.lab)
    _point(PLAIN_VAGRANT, os.path.relpath(workdir.vagrant, ROOT))


def forget_current(workdir: Workdir) -> None:
    """This lab is gone; nothing is current if it was."""
    if current_lab() == workdir.lab:
        for link in (CURRENT, PLAIN_VAGRANT):
            if link.is_symlink():
                link.unlink()


def _point(path: Path, target: str) -> None:
    if path.is_dir() and not path.is_symlink():
        # Somebody's own Vagrant state: never ours to replace.
        return
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        scratch.unlink()
    scratch.symlink_to(target)
    scratch.replace(path)
