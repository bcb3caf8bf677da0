"""Which lab is meant when none is named: `.lab/current` points to the one used last."""

from __future__ import annotations

import os

from labctl.plainvagrant import ensure_plain_vagrant, remove_plain_vagrant
from labctl.workdir import ROOT, Workdir

DEFAULT_LAB = "default"
CURRENT = ROOT / ".lab" / "current"


def current_lab() -> str:
    """The name of the lab used last, 'default' where there was none."""
    try:
        return CURRENT.readlink().name
    except OSError:
        return DEFAULT_LAB


def make_current(workdir: Workdir) -> None:
    """From now on this lab is meant when none is named, by labctl and by plain `vagrant`."""
    CURRENT.parent.mkdir(parents=True, exist_ok=True)
    scratch = CURRENT.with_name(f".current.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(workdir.lab)
    scratch.replace(CURRENT)
    ensure_plain_vagrant(workdir)


def forget_current(workdir: Workdir) -> None:
    """This lab is gone; nothing is current if it was."""
    if current_lab() == workdir.lab:
        CURRENT.unlink(missing_ok=True)
        remove_plain_vagrant()
