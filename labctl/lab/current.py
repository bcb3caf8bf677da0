"""Which lab is meant if none is named: `.lab/current` points to the one used last."""

from __future__ import annotations

import os
import threading

from labctl.providers.plain import ensure_plain_vagrant, remove_plain_vagrant
from labctl.topology.places import IS_CHECKOUT
from labctl.topology.workdir import PROJECT, Workdir

DEFAULT_LAB = "default"
CURRENT = PROJECT / ".lab" / "current"


def current_lab() -> str:
    """The name of the lab used last, 'default' if there was none."""
    try:
        return CURRENT.readlink().name
    except OSError:
        return DEFAULT_LAB


def make_current(workdir: Workdir) -> None:
    """Make this the lab that labctl and plain `vagrant` mean if none is named."""
    CURRENT.parent.mkdir(parents=True, exist_ok=True)
    # Two labs may come up at the same time in one process, such as those of a gate.
    scratch = CURRENT.with_name(f".current.{os.getpid()}.{threading.get_ident()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(workdir.lab)
    scratch.replace(CURRENT)
    if IS_CHECKOUT:
        # Elsewhere there is no Vagrantfile for plain `vagrant`.
        ensure_plain_vagrant(workdir)


def forget_current(workdir: Workdir) -> None:
    """Forget this lab; if it was current, no lab is."""
    if current_lab() == workdir.lab:
        CURRENT.unlink(missing_ok=True)
        remove_plain_vagrant()
