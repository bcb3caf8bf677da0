"""The stand-in packages, built from `standins/` once per content."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from labctl.core import process
from labctl.images.debs import Deb, host_architecture, load_debs
from labctl.topology.workdir import ROOT

STANDINS = ROOT / "standins"
VERSION_PREFIX = "0~standin"
"""The beginning of every stand-in's version, wherever its file comes from."""


def build_standins(cache: Path, *, standins: Path = STANDINS) -> tuple[Deb, ...]:
    """The stand-in packages, built once per content of their sources."""
    folder = cache / "standins" / hash_tree(standins)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
        try:
            process.run([standins / "build", scratch], timeout=120)
            scratch.chmod(0o755)
            # Another labctl may have been faster; its result is the same.
            if not folder.exists():
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return load_debs(folder, architecture=host_architecture()).debs


def hash_tree(folder: Path) -> str:
    """A short hash of all files under `folder`: names, contents, and which are executable."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or not (path.is_file() or path.is_symlink()):
            continue
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        executable = bool(path.lstat().st_mode & 0o100)
        head = f"{path.relative_to(folder)}\0{executable}\0{len(content)}\0"
        digest.update(head.encode() + content)
    return digest.hexdigest()[:12]
