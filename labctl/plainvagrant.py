"""Plain `vagrant` in the project's root, which sees the machines of the current lab."""

from __future__ import annotations

import shutil
from pathlib import Path

from labctl.errors import LabError
from labctl.workdir import ROOT, Workdir


def ensure_plain_vagrant(workdir: Workdir, *, root: Path = ROOT) -> None:
    """Make plain `vagrant` in the project's root see the current lab's machines.

    `.vagrant` becomes a link to the state folder of the lab that `.lab/current` points to.
    Errors: LabError when `.vagrant` is a folder with machines of somebody else.
    """
    link = root / ".vagrant"
    workdir.vagrant.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        if any(link.glob("machines/*/*/id")):
            raise LabError(
                f"'{link}' holds machines that labctl did not make.",
                hint="Run 'vagrant destroy' there, then remove the folder.",
            )
        # What a plain `vagrant` call leaves where there was no lab: an empty frame.
        shutil.rmtree(link)
    target = Path(".lab") / "current" / "vagrant"
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def remove_plain_vagrant(*, root: Path = ROOT) -> None:
    """Remove the link, so that a plain `vagrant` call does not stumble over its missing end."""
    link = root / ".vagrant"
    if link.is_symlink() and not link.exists():
        link.unlink()
