"""A node's rendered files, and the manifest that tells the provisioner what to do with them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.core.files import remove_entry, write_if_changed, write_json
from labctl.topology.workdir import Workdir

MANIFEST_FORMAT = 1
"""The format that `provision.manifest` reads; nodes keep the manifest that was applied last."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One whole file of a node.

    `kept` means that a service may rewrite it at any time, so its content is not corrected; see
    `provision.manifest.ManifestEntry`.
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
    """A folder that must exist, with its owner, before files are placed in it."""

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
class ChangeCommand:
    """A shell command to run on the node if a path that matches `when` has changed."""

    run: str
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that must be enabled and active, and own its TCP `ports`.

    `change` (restart or reload) follows if a path that matches `when` has changed.  Units start
    stage by stage on all nodes.  A unit must stay active: oneshot needs RemainAfterExit.
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
    commands: tuple[ChangeCommand, ...] = ()
    units: tuple[Unit, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Plain data for manifest.json, which the provisioner reads; without file contents."""
        return {
            "format": MANIFEST_FORMAT,
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
    """Write one node's tree to `<folder>/<node>/`, and remove files of an earlier run.

    Files are 0600 and folders 0700: they hold keys and passwords.
    """
    top = folder / tree.node
    kept: set[Path] = set()
    for file in tree.files:
        path = top / "files" / file.path.lstrip("/")
        kept.add(path)
        # Unchanged files keep their time stamps, so the tree shows what is new.
        write_if_changed(path, file.text, mode=0o600)
    for path in (top / "files").rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    write_json(top / "manifest.json", tree.manifest(), mode=0o600)
    folder.chmod(0o700)


def rendered_paths(workdir: Workdir, node: str) -> tuple[str, ...]:
    """The paths on a node of the files that were written for it, in order."""
    top = workdir.tree / node / "files"
    return tuple(sorted(f"/{path.relative_to(top)}" for path in top.rglob("*") if path.is_file()))


def forget_trees(workdir: Workdir, *, keep: set[str]) -> None:
    """Remove the trees of nodes that the lab no longer has."""
    if workdir.tree.is_dir():
        for path in workdir.tree.iterdir():
            if path.name not in keep:
                remove_entry(path)
