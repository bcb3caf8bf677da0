"""A node's rendered files, and the manifest that tells the provisioner what to do with them."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.workdir import Workdir, write_file, write_json


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One whole file of a node.

    `kept`: a service writes it anew at will, so what stands there is not put right; see
    `provision.manifest.Entry`.
    """

    path: str
    text: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    kept: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that must be there with its owner before files go into it."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run on the node after one of the files `when` has changed."""

    run: str
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that must run; `change` (restart or reload) when a file of `when` changed.

    Units come up stage by stage over all nodes; `ports` (tcp) must listen before the next.
    """

    name: str
    stage: int
    when: tuple[str, ...] = ()
    change: str = "restart"
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """Everything that labctl places on one node."""

    node: str
    files: tuple[RenderedFile, ...]
    folders: tuple[Folder, ...] = ()
    links: tuple[Link, ...] = ()
    absent: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    units: tuple[Unit, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Plain data for manifest.json: what the provisioner reads; file contents stay out."""
        return {
            "node": self.node,
            "dirs": [
                {"path": d.path, "owner": d.owner, "group": d.group, "mode": f"{d.mode:04o}"}
                for d in self.folders
            ],
            "files": [
                {
                    "path": f.path,
                    "owner": f.owner,
                    "group": f.group,
                    "mode": f"{f.mode:04o}",
                    "sha256": f.sha256,
                    "kept": f.kept,
                }
                for f in self.files
            ],
            "links": [{"path": link.path, "target": link.target} for link in self.links],
            "absent": list(self.absent),
            "commands": [{"run": c.run, "when": list(c.when)} for c in self.commands],
            "units": [
                {
                    "name": u.name,
                    "stage": u.stage,
                    "change": u.change,
                    "when": list(u.when),
                    "ports": list(u.ports),
                }
                for u in self.units
            ],
        }


def save_tree(folder: Path, tree: Tree) -> None:
    """Write one node's tree to `<folder>/<node>/`, and remove what an earlier run left there.

    Files are 0600 and folders 0700: they hold keys and passwords.
    """
    top = folder / tree.node
    kept: set[Path] = set()
    for file in tree.files:
        path = top / "files" / file.path.lstrip("/")
        kept.add(path)
        # An unchanged file keeps its time stamp, so that a look at the tree shows what is new.
        if not path.is_file() or path.read_text(encoding="utf-8") != file.text:
            write_file(path, file.text, mode=0o600)
    for path in (top / "files").rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    write_json(top / "manifest.json", tree.manifest(), mode=0o600)
    folder.chmod(0o700)


def forget_trees(workdir: Workdir, *, keep: set[str]) -> None:
    """Remove the trees of nodes that the lab no longer has."""
    if workdir.tree.is_dir():
        for path in workdir.tree.iterdir():
            if path.name not in keep:
                shutil.rmtree(path)
