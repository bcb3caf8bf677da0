"""A node's tree on this machine's disk, and the manifest that goes with it."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from labctl.render.tree import (
    ChangeCommand,
    Folder,
    Link,
    RenderedFile,
    Tree,
    Unit,
    forget_trees,
    rendered_paths,
    save_tree,
)
from labctl.topology.workdir import Workdir

TREE = Tree(
    node="jms",
    files=(
        RenderedFile("/etc/a.conf", "ä\n"),
        RenderedFile("/var/b.dat", "b", "prosody", "ssl", 0o640, kept=True),
    ),
    folders=(Folder("/var/x"), Folder("/var/y", "prosody", "ssl", 0o750)),
    links=(Link("/etc/on", "../off"),),
    absent=("/etc/default",),
    commands=(ChangeCommand("trust it", ("/ca.crt", "/ca/*")),),
    units=(Unit("a.service", 2), Unit("b.service", 1, ("/etc/*",), "reload", (80, 443))),
)


def test_a_manifest_says_all_but_the_contents() -> None:
    assert TREE.manifest() == {
        "format": 1,
        "node": "jms",
        "dirs": [
            {"path": "/var/x", "owner": "root", "group": "root", "mode": "0755"},
            {"path": "/var/y", "owner": "prosody", "group": "ssl", "mode": "0750"},
        ],
        "files": [
            {
                "path": "/etc/a.conf", "owner": "root", "group": "root", "mode": "0644",
                "sha256": sha256("ä\n".encode()).hexdigest(), "kept": False,
            },
            {
                "path": "/var/b.dat", "owner": "prosody", "group": "ssl", "mode": "0640",
                "sha256": sha256(b"b").hexdigest(), "kept": True,
            },
        ],
        "links": [{"path": "/etc/on", "target": "../off"}],
        "absent": ["/etc/default"],
        "commands": [{"run": "trust it", "when": ["/ca.crt", "/ca/*"]}],
        "units": [
            {"name": "a.service", "stage": 2, "change": "restart", "when": [], "ports": []},
            {
                "name": "b.service", "stage": 1, "change": "reload", "when": ["/etc/*"],
                "ports": [80, 443],
            },
        ],
    }  # fmt: skip


def modes(folder: Path) -> dict[str, int]:
    found = {path: path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): mode for path, mode in found.items()}


def test_a_tree_is_saved_for_this_user_alone(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    save_tree(top, TREE)
    assert modes(top) == {
        "jms/files/etc/a.conf": 0o600,
        "jms/files/var/b.dat": 0o600,
        "jms/manifest.json": 0o600,
    }
    assert top.stat().st_mode & 0o777 == 0o700
    assert (top / "jms/files/etc/a.conf").read_text(encoding="utf-8") == "ä\n"
    assert json.loads((top / "jms/manifest.json").read_text()) == TREE.manifest()


def test_a_path_keeps_all_its_letters(workdir: Workdir) -> None:
    save_tree(workdir.tree, Tree("jms", (RenderedFile("/X11/XX", "x"),)))
    assert rendered_paths(workdir, "jms") == ("/X11/XX",)


def test_what_has_not_changed_keeps_its_time_stamp_and_what_is_gone_goes(tmp_path: Path) -> None:
    save_tree(tmp_path, TREE)
    kept, gone = tmp_path / "jms/files/etc/a.conf", tmp_path / "jms/files/var/b.dat"
    os.utime(kept, (1000, 1000))
    save_tree(tmp_path, Tree("jms", (TREE.files[0], RenderedFile("/etc/new", "new"))))
    assert kept.stat().st_mtime == 1000
    assert not gone.exists()
    assert (tmp_path / "jms/files/etc/new").read_text() == "new"


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path / "demo")


def test_rendered_paths_are_those_on_the_node_in_order(workdir: Workdir) -> None:
    assert rendered_paths(workdir, "jms") == ()
    save_tree(workdir.tree, Tree("jms", TREE.files[::-1]))
    save_tree(workdir.tree, Tree("jvb1", ()))
    assert rendered_paths(workdir, "jms") == ("/etc/a.conf", "/var/b.dat")
    assert rendered_paths(workdir, "jvb1") == ()


def test_trees_of_nodes_that_are_gone_are_forgotten(workdir: Workdir) -> None:
    forget_trees(workdir, keep={"jms"})
    for name in ("jms", "jvb1", "jvb2"):
        save_tree(workdir.tree, Tree(name, TREE.files))
    (workdir.tree / "stray").write_text("x")
    forget_trees(workdir, keep={"jms", "jvb2"})
    assert sorted(path.name for path in workdir.tree.iterdir()) == ["jms", "jvb2"]
    assert rendered_paths(workdir, "jvb2") == ("/etc/a.conf", "/var/b.dat")
