"""Plain `vagrant` in the project's root, which works on the current lab."""

from __future__ import annotations

import shutil
from pathlib import Path

from labctl.core.errors import LabError
from labctl.topology.workdir import ROOT, Workdir


def ensure_plain_vagrant(workdir: Workdir, *, root: Path = ROOT) -> None:
    """Make plain `vagrant` in the project's root work on the current lab's machines.

    `.vagrant` becomes a link to the state folder of the lab that `.lab/current` points to.
    Errors: LabError if `.vagrant` is a folder with machines that labctl did not make.
    """
    link = root / ".vagrant"
    workdir.vagrant.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        if any(link.glob("machines/*/*/id")):
            raise LabError(
                f"'{link}' holds machines that labctl did not make.",
                hint="Run 'vagrant destroy' there, then remove the folder.",
            )
        # A plain `vagrant` call without a lab leaves empty folders.
        shutil.rmtree(link)
    target = Path(".lab") / "current" / "vagrant"
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def remove_plain_vagrant(*, root: Path = ROOT) -> None:
    """Remove the link, so that a plain `vagrant` call does not fail on its missing target."""
    link = root / ".vagrant"
    if link.is_symlink() and not link.exists():
        link.unlink()
