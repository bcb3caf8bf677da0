"""What a new tree changes: files with differences, units, and no secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from labctl.lab.changes import FileChange, FileVerb, TreeChanges, compare_trees
from labctl.render.tree import ChangeCommand, Link, RenderedFile, Tree, Unit, save_tree

CONF, KEY, DATA = "/etc/a.conf", "/etc/a.key", "/var/lib/prosody/x.dat"
SECRET = "correct-horse-battery"
TREE = Tree(
    "jms",
    files=(
        RenderedFile(CONF, f"one\npassword = {SECRET}\nthree\n"),
        RenderedFile(KEY, "-----BEGIN PRIVATE KEY-----\nAAAA\n", mode=0o600),
        RenderedFile(DATA, "salted", kept=True),
    ),
    links=(Link("/etc/enabled/a", "../a"),),
    commands=(ChangeCommand("update-a", (KEY,)),),
    units=(
        Unit("a.service", 1, (CONF,), ports=(80,)),
        Unit("b.service", 2, (KEY,), change="reload"),
    ),
)


def compare(tmp_path: Path, old: Tree | None, new: Tree, *, fresh: bool = False) -> TreeChanges:
    for name, tree in (("old", old), ("new", new)):
        if tree is not None:
            (tmp_path / name).mkdir()
            save_tree(tmp_path / name, tree)
    before = tmp_path / "old" / "jms" if old is not None else None
    return compare_trees(before, tmp_path / "new" / "jms", fresh=fresh, secrets={SECRET})


def with_file(path: str, **changed: object) -> Tree:
    files = (replace(it, **changed) if it.path == path else it for it in TREE.files)  # type: ignore[arg-type]
    return replace(TREE, files=tuple(files))


def test_the_same_tree_changes_nothing(tmp_path: Path) -> None:
    assert compare(tmp_path, TREE, TREE).empty


def test_a_changed_file_is_shown_and_restarts_what_reads_it(tmp_path: Path) -> None:
    new = with_file(CONF, text=f"ONE\npassword = {SECRET}\nthree\n")
    found = compare(tmp_path, TREE, new)
    assert found.files == (
        FileChange(
            CONF,
            FileVerb.CHANGED,
            ("@@ -1,3 +1,3 @@", "-one", "+ONE", " password = [secret]", " three"),
        ),
    )
    assert (found.restart, found.reload, found.start, found.commands) == (
        ("a.service",),
        (),
        (),
        (),
    )


def test_a_secret_that_changes_is_not_shown(tmp_path: Path) -> None:
    old = with_file(CONF, text="one\npassword = another-secret-of-old\nthree\n")
    secrets = {SECRET, "another-secret-of-old"}
    for name, tree in (("old", old), ("new", TREE)):
        (tmp_path / name).mkdir()
        save_tree(tmp_path / name, tree)
    found = compare_trees(
        tmp_path / "old" / "jms", tmp_path / "new" / "jms", fresh=False, secrets=secrets
    )
    assert found.files == (FileChange(CONF, FileVerb.CHANGED, (), "only a secret differs"),)
    assert found.restart == ("a.service",)


def test_keys_and_accounts_are_not_shown(tmp_path: Path) -> None:
    new = replace(
        with_file(KEY, text="-----BEGIN PRIVATE KEY-----\nBBBB\n"),
        files=(
            TREE.files[0],
            replace(TREE.files[1], text="-----BEGIN PRIVATE KEY-----\nBBBB\n"),
            replace(TREE.files[2], text="other salt"),
        ),
    )
    found = compare(tmp_path, TREE, new)
    assert found.files == (
        FileChange(KEY, FileVerb.CHANGED, (), "a certificate or key"),
        FileChange(DATA, FileVerb.CHANGED, (), "an account's data"),
    )
    assert found.reload == ("b.service",)
    assert found.commands == ("update-a",)


def test_an_owner_or_mode_that_changes_is_shown(tmp_path: Path) -> None:
    found = compare(tmp_path, TREE, with_file(CONF, mode=0o600))
    assert found.files[0].diff == ("-root:root 0644", "+root:root 0600")


def test_files_links_and_units_come_and_go(tmp_path: Path) -> None:
    new = replace(
        TREE,
        files=(*TREE.files[:1], RenderedFile("/etc/new", "new\n")),
        links=(),
        units=(TREE.units[0], Unit("c.service", 2)),
    )
    found = compare(tmp_path, TREE, new)
    assert [(it.verb, it.path) for it in found.files] == [
        (FileVerb.NEW, "/etc/new"),
        (FileVerb.REMOVED, KEY),
        (FileVerb.REMOVED, "/etc/enabled/a"),
        (FileVerb.REMOVED, DATA),
    ]
    assert (found.start, found.stop) == (("c.service",), ("b.service",))


def test_a_new_node_starts_everything(tmp_path: Path) -> None:
    found = compare(tmp_path, None, TREE, fresh=True)
    assert {it.verb for it in found.files} == {FileVerb.NEW}
    assert found.start == ("a.service", "b.service")


def test_a_machine_that_is_made_anew_starts_everything_and_shows_what_differs(
    tmp_path: Path,
) -> None:
    found = compare(tmp_path, TREE, with_file(CONF, mode=0o600), fresh=True)
    assert [it.path for it in found.files] == [CONF]
    assert found.start == ("a.service", "b.service")
    assert found.restart == ()
