"""The Debian releases that nodes can have: one file of data each, below `packer/debian/`."""

from __future__ import annotations

from pathlib import Path

from labctl.topology.workdir import ROOT

RELEASES = ROOT / "packer" / "debian"


def known_releases(folder: Path = RELEASES) -> tuple[str, ...]:
    """The names of the releases, the oldest first."""
    names = (path.stem for path in folder.glob("*.json"))
    return tuple(sorted(names, key=lambda name: (len(name), name)))


def release_file(name: str, *, folder: Path = RELEASES) -> Path:
    """Where the data of a release is."""
    return folder / f"{name}.json"
