"""Removes a lab, whatever state it and its files are in."""

from __future__ import annotations

import shutil

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.state import StateError
from labctl.lab.current import forget_current
from labctl.providers.leftovers import remove_leftovers
from labctl.providers.vagrant import VagrantMachines
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir


def tear_down(folder: Workdir, *, progress: Progress, forget: bool) -> bool:
    """Remove the lab's machines and network; with `forget` everything else of it, too.

    Works on whatever a broken `up` left, on a lab whose files are damaged or of another version,
    and on machines whose lab's folder has gone.  Returns whether there was anything to remove."""
    known = any(folder.path.glob("*"))
    lab = _read(folder, progress=progress)
    if lab is None:
        known = remove_leftovers(folder, progress=progress) or known
    else:
        VagrantMachines(lab).destroy(progress=progress)
    if folder.drill_file.exists():
        # Late: drills and all that they need would take a third of the time of a 'down'.
        from labctl.drills.journal import forget_journal

        # What an interrupted drill left has gone with the nodes.
        forget_journal(folder)
    if forget:
        forget_current(folder)
        _remove_folder(folder)
    return known


def _read(folder: Workdir, *, progress: Progress) -> Lab | None:
    """The lab in a folder; None if its topology is missing or cannot be used."""
    if not folder.exists():
        return None
    try:
        return Lab(folder, folder.load_topology())
    except StateError as error:
        progress("machines", f"{error.message} Everything with the lab's name is removed.")
        return None


def _remove_folder(folder: Workdir) -> None:
    try:
        shutil.rmtree(folder.path)
    except FileNotFoundError:
        # There was no folder, only machines, or not even these.
        return
    except OSError as error:
        raise LabError(
            f"'{folder.path}' cannot be removed: {error.strerror}.",
            hint="Remove the folder yourself; its machines are already gone.",
        ) from error
