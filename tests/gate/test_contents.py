"""What changed in a package, read from a node's dpkg and from .deb files."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest

from labctl.core.errors import LabError, PackageError
from labctl.gate import contents as module
from labctl.gate.contents import (
    DIFF_LINES,
    PackageContents,
    PathChanges,
    compare_contents,
    parse_contents,
    read_contents,
    unpack,
)
from labctl.images.debs import load_debs
from labctl.topology.lab import Lab
from labctl.topology.roles import role_facts
from tests.fakes.nodes import FakeNodes, sections_of

CONTROL = """\
Package: jicofo
Status: install ok installed
Version: 1.0-1196-1
Depends: openjdk-21-jre-headless | java21-runtime-headless, ruby-hocon, debconf
Conffiles:
 /etc/jitsi/jicofo/logging.properties 544d9977b2c7ef9ec4a30b795085f59c
Description: words
"""
ANSWER = sections_of(
    {
        "jicofo control": CONTROL.splitlines(),
        "jicofo conffiles": [
            " /etc/init.d/jicofo 7ac6be68d6112524f39ee5761494390e",
            " /etc/jitsi/jicofo/logging.properties 544d9977b2c7ef9ec4a30b795085f59c",
            " /etc/old a8c0 obsolete",
        ],
        "jicofo files": [
            "7ac6be68d6112524f39ee5761494390e  etc/init.d/jicofo",
            "0123456789abcdef0123456789abcdef  usr/share/jicofo/a file.jar",
        ],
        "jicofo script postinst": ["#!/bin/sh", "exit 0"],
    }
)


def test_what_a_node_says_of_its_packages() -> None:
    found = parse_contents(["jicofo", "jitsi-videobridge2"], ANSWER)
    assert set(found) == {"jicofo"}
    assert found["jicofo"] == PackageContents(
        version="1.0-1196-1",
        relations={
            "Depends": (
                "debconf",
                "openjdk-21-jre-headless | java21-runtime-headless",
                "ruby-hocon",
            )
        },
        files={"/usr/share/jicofo/a file.jar": "0123456789abcdef0123456789abcdef"},
        conffiles={
            "/etc/init.d/jicofo": "7ac6be68d6112524f39ee5761494390e",
            "/etc/jitsi/jicofo/logging.properties": "544d9977b2c7ef9ec4a30b795085f59c",
        },
        scripts={"postinst": "#!/bin/sh\nexit 0\n"},
    )


OLD = PackageContents(
    "1",
    {"Depends": ("a", "b (>= 1)")},
    {"/x": "1", "/y": "2", "/z": "3"},
    {"/etc/c": "1", "/etc/d": "1"},
    {"postinst": "one\ntwo\n", "prerm": "same\n"},
)
NEW = PackageContents(
    "2",
    {"Depends": ("a", "b (>= 2)"), "Breaks": ("c",)},
    {"/x": "1", "/y": "9", "/w": "3"},
    {"/etc/c": "2", "/etc/e": "1"},
    {"postinst": "one\nthree\n", "prerm": "same\n", "config": "new\n"},
)


def test_what_changed_in_a_package() -> None:
    (change,) = compare_contents({"p": NEW}, {"p": OLD})
    assert (change.name, change.baseline, change.candidate) == ("p", "1", "2")
    assert change.relations == ("Depends: - b (>= 1)", "Depends: + b (>= 2)", "Breaks: + c")
    assert change.files == PathChanges(("/w",), ("/z",), ("/y",))
    assert change.conffiles == PathChanges(("/etc/e",), ("/etc/d",), ("/etc/c",))
    assert list(change.scripts) == ["postinst", "config"]
    assert change.scripts["postinst"].splitlines()[-2:] == ["-two", "+three"]


def test_packages_of_one_side_are_changes_and_equal_ones_are_not() -> None:
    found = compare_contents({"new": NEW, "same": OLD}, {"gone": OLD, "same": OLD})
    assert [(it.name, it.baseline, it.candidate) for it in found] == [
        ("gone", "1", None),
        ("new", None, "2"),
    ]


def test_long_differences_end_with_a_count() -> None:
    text = "".join(f"line {n}\n" for n in range(3 * DIFF_LINES))
    (change,) = compare_contents(
        {"p": PackageContents("1", scripts={"postinst": text})}, {"p": PackageContents("1")}
    )
    lines = change.scripts["postinst"].splitlines()
    assert len(lines) == DIFF_LINES + 1
    assert lines[-1] == f"... and {3 * DIFF_LINES + 3 - DIFF_LINES} more lines"


@pytest.fixture
def debs(tmp_path: Path, root: Path) -> Path:
    folder = tmp_path / "debs"
    subprocess.run([root / "standins/build", folder, "jicofo"], check=True, capture_output=True)
    return folder


@pytest.mark.programs
def test_a_deb_says_the_same_as_a_node(debs: Path) -> None:
    found = unpack(next(debs.glob("*.deb")))
    assert found.version.startswith("0~standin")
    assert "/etc/jitsi/jicofo/logging.properties" in found.conffiles
    assert all(len(sum_) == 32 for sum_ in (*found.files.values(), *found.conffiles.values()))
    assert not found.files.keys() & found.conffiles.keys()
    assert "/usr/share/labctl-standin/jicofo/run.py" in found.files
    assert {"postinst", "prerm", "postrm"} <= found.scripts.keys()
    assert "Depends" in found.relations


@pytest.mark.programs
def test_a_deb_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.deb"
    file.write_text("no package")
    with pytest.raises(LabError, match=r"'x\.deb' cannot be unpacked: dpkg-deb: error"):
        unpack(file)


@pytest.mark.programs
def test_packages_that_no_node_has_are_read_from_their_files(
    lab: Lab, nodes: FakeNodes, debs: Path
) -> None:
    nodes.says("*", to="dpkg-query")
    files = load_debs(debs, architecture="amd64").debs
    assert list(read_contents(lab, files)) == ["jicofo"]
    nodes.says("jms", dict(ANSWER.texts), to="dpkg-query")
    assert read_contents(lab, files)["jicofo"].version == "1.0-1196-1"
    for ran in nodes.ran:
        assert subprocess.run(["sh", "-n"], input=ran.text, text=True).returncode == 0


def test_nodes_are_asked_once_for_each_package_as_root(lab: Lab, nodes: FakeNodes) -> None:
    """A script whose last package is not there ends with an error: that is no answer."""
    nodes.says("*", to="dpkg-query", code=1)
    nodes.says("jms", dict(ANSWER.texts), to="dpkg-query", code=1)
    assert list(read_contents(lab, [])) == ["jicofo"]
    asked = {ran.node: ran for ran in nodes.ran}
    assert {ran.sudo for ran in nodes.ran} == {True}
    for node in lab.topology.nodes:
        names = [name for name in role_facts(node.role).packages if name != "jicofo"]
        expected = ["jicofo", *names] if node is lab.topology.jms else names
        found = re.findall(r"^for name in (.*); do$", asked[node.name].text, re.MULTILINE)
        assert [sorted(each.split()) for each in found] == [sorted(expected)]
        scripts = re.findall(r"for script in (.*); do$", asked[node.name].text, re.MULTILINE)
        assert scripts == ["preinst postinst prerm postrm config templates triggers"]


def test_a_node_whose_packages_are_known_is_not_asked(lab: Lab, nodes: FakeNodes) -> None:
    names = role_facts(lab.topology.jms.role).packages
    answer = {f"{name} control": "Version: 1\n" for name in names}
    nodes.says("*", to="dpkg-query")
    nodes.says("jms", answer, to="dpkg-query")
    found = read_contents(lab, [])
    assert set(names) <= set(found)
    for node in lab.topology.nodes:
        missing = set(role_facts(node.role).packages) - set(names)
        assert bool(nodes.ran_on(node.name)) is (bool(missing) or node is lab.topology.jms)


def test_sums_that_are_not_whole_or_of_old_conffiles_do_not_count() -> None:
    answer = sections_of(
        {
            "p control": ["Version: 1"],
            "p conffiles": [" /etc/a 1a", " /etc/b 1b obsolete", " /etc/c", " obsolete 1d"],
            "p files": ["2a  usr/a", "2b", "2c  usr/with  two blanks", "", "2d  usr/obsolete"],
        }
    )
    found = parse_contents(["p"], answer)["p"]
    assert found.conffiles == {"/etc/a": "1a", "/obsolete": "1d"}
    assert found.files == {"/usr/a": "2a", "/usr/with  two blanks": "2c", "/usr/obsolete": "2d"}
    assert (found.relations, found.scripts) == ({}, {})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a package is built from."""
    tree = tmp_path / "tree"
    for name, text in {
        "DEBIAN/control": "Package: p\nVersion: 1:2.0\nArchitecture: all\nDepends: b, a (>= 1)\n"
        "Maintainer: Nobody <nobody@example.invalid>\nDescription: test\n",
        "DEBIAN/conffiles": "/etc/p/p.conf\n",
        "DEBIAN/templates": "Template: p/x\n\n\n",
        "DEBIAN/md5sums": "nothing\n",
        "etc/p/p.conf": "a = 1\n",
        "usr/share/p/a file": "words\n",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


def build(tree: Path) -> Path:
    file = tree.with_suffix(".deb")
    command = ["dpkg-deb", "--root-owner-group", "--build", tree, file]
    subprocess.run(command, check=True, capture_output=True)
    return file


@pytest.mark.programs
def test_what_is_read_from_a_file(tree: Path) -> None:
    (tree / "usr/share/p/link").symlink_to("/etc/passwd")
    assert unpack(build(tree)) == PackageContents(
        version="1:2.0",
        relations={"Depends": ("a (>= 1)", "b")},
        files={"/usr/share/p/a file": md5(b"words\n").hexdigest()},
        conffiles={"/etc/p/p.conf": md5(b"a = 1\n").hexdigest()},
        scripts={"templates": "Template: p/x\n"},
    )


@pytest.mark.programs
def test_a_conffile_that_the_package_does_not_bring_has_no_sum(tree: Path) -> None:
    (tree / "etc/p/p.conf").unlink()
    (tree / "etc/p/p.conf").symlink_to("/etc/passwd")
    found = unpack(build(tree))
    assert found.conffiles == {"/etc/p/p.conf": ""}
    assert "/etc/p/p.conf" not in found.files


@pytest.mark.programs
def test_a_script_that_is_a_link_is_not_followed(tree: Path) -> None:
    (tree / "DEBIAN/postinst").symlink_to("/etc/passwd")
    assert "root:" not in unpack(build(tree)).scripts.get("postinst", "")


@pytest.mark.programs
def test_text_that_is_not_utf_8_is_read_all_the_same(tree: Path) -> None:
    (tree / "DEBIAN/templates").write_bytes(b"Template: \xff\n")
    assert unpack(build(tree)).scripts == {"templates": "Template: \ufffd\n"}


@pytest.mark.programs
def test_a_file_that_is_too_large_is_no_package(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "usr/share/p/large").write_bytes(b"x" * 100_000)
    file = build(tree)
    monkeypatch.setattr(module, "MOST_BYTES", 50_000)
    with pytest.raises(PackageError, match=r"^'tree\.deb' cannot be unpacked: dpkg-deb"):
        unpack(file)


def test_differences_of_scripts_are_told_as_diff_does() -> None:
    (change,) = compare_contents({"p": NEW}, {"p": OLD})
    assert change.scripts["postinst"] == (
        "--- baseline\n+++ candidate\n@@ -1,2 +1,2 @@\n one\n-two\n+three"
    )
    assert change.scripts["config"].splitlines()[-1] == "+new"


def test_a_difference_of_just_so_many_lines_is_whole() -> None:
    text = "".join(f"line {n}\n" for n in range(DIFF_LINES - 3))
    (change,) = compare_contents(
        {"p": PackageContents("1", scripts={"postinst": text})}, {"p": PackageContents("1")}
    )
    lines = change.scripts["postinst"].splitlines()
    assert (len(lines), lines[-1]) == (DIFF_LINES, f"+line {DIFF_LINES - 4}")


@pytest.mark.parametrize(
    "new",
    [
        replace(OLD, version="2"),
        replace(OLD, relations={}),
        replace(OLD, files={}),
        replace(OLD, conffiles={}),
        replace(OLD, scripts={}),
    ],
    ids=["version", "relations", "files", "conffiles", "scripts"],
)
def test_any_difference_is_a_change(new: PackageContents) -> None:
    assert [it.name for it in compare_contents({"p": new, "q": OLD}, {"p": OLD, "q": OLD})] == ["p"]


def test_paths_that_differ_are_in_order() -> None:
    old = PackageContents("1", files={"/c": "1", "/b": "1", "/y": "1", "/x": "1"})
    new = PackageContents("1", files={"/y": "2", "/x": "2", "/f": "1", "/e": "1"})
    (change,) = compare_contents({"p": new}, {"p": old})
    assert change.files == PathChanges(("/e", "/f"), ("/b", "/c"), ("/x", "/y"))
    assert change.files and not change.conffiles
