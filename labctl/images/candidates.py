"""Files of packages as the user gives them: a folder, a list, addresses."""

from __future__ import annotations

from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.user import expand
from labctl.images.addressed import fetch_deb
from labctl.images.debs import DebSet, host_architecture, load_debs, load_files
from labctl.spec.addresses import is_address
from labctl.topology.spec import Packages


def load_candidates(
    packages: Packages, *, cache: Path, force: bool, progress: Progress
) -> tuple[str, DebSet]:
    """Where the .deb files are, as the beginning of a sentence, and their packages."""
    if packages.path is None and not packages.files:
        raise LabError(
            "'packages.source = debs' needs 'packages.path'.",
            hint="It names the folder that holds the .deb files.",
        )
    architecture = host_architecture()
    if packages.path is not None:
        folder = expand(packages.path)
        return f"The folder '{folder}'", load_debs(folder, architecture=architecture)
    files = [
        fetch_deb(file, cache=cache, force=force, progress=progress)
        if is_address(file)
        else Path(file)
        for file in packages.files
    ]
    return "The list of files", load_files(files, architecture=architecture)
