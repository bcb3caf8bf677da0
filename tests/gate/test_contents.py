"""What changed in a package, read from a node's dpkg and from .deb files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labctl.core.errors import LabError
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
    with pytest.raises(LabError, match=r"'x\.deb' cannot be unpacked"):
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
