"""The source words, the same everywhere, and the keys of `packages`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import Problem, SpecError
from labctl.spec import load_spec, parse_packages
from labctl.spec.packages import with_source
from labctl.spec.versions import parse_versions
from labctl.topology.spec import Packages, PackageSource, RepositoryChannel

KEY = "0123456789ABCDEF0123456789ABCDEF01234567"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("auto", {"source": "auto"}),
        ("stand-ins", {"source": "stand-ins"}),
        ("jitsi", {"source": "jitsi"}),
        ("jitsi:unstable", {"source": "jitsi", "channel": "unstable"}),
        ("jitsi:stabel", {"source": "jitsi", "channel": "stabel"}),
        ("jitsi:./pins", {"source": "jitsi", "versions-file": "./pins"}),
        ("jitsi:pins.txt", {"source": "jitsi", "versions-file": "pins.txt"}),
        (
            "jitsi:testing:pins",
            {"source": "jitsi", "channel": "testing", "versions-file": "pins"},
        ),
        ("debs:./candidates", {"source": "debs", "path": "./candidates"}),
        ("debs:a.deb", {"source": "debs", "files": ["a.deb"]}),
        ("debs:a.deb, /b/b.deb", {"source": "debs", "files": ["a.deb", "/b/b.deb"]}),
        ("debs:a,b", {"source": "debs", "files": ["a", "b"]}),
        (
            "jitsi:testing:/pins:of/august",
            {"source": "jitsi", "channel": "testing", "versions-file": "/pins:of/august"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words(text: str, keys: dict[str, Any]) -> None:
    assert parse_packages(text) == keys


def test_words_on_the_command_line_are_relative_to_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pins.txt").write_text(
        "# of August\njicofo 1.0-1196-1\njitsi-meet-web=1.0.9396-1\n"
    )
    spec, saved = load_spec(None, {"packages": "jitsi:testing:pins.txt"})
    assert spec.packages == Packages(
        PackageSource.JITSI,
        RepositoryChannel.TESTING,
        versions={"jicofo": "1.0-1196-1", "jitsi-meet-web": "1.0.9396-1"},
    )
    monkeypatch.chdir("/")
    assert load_spec(None, {}, saved=saved)[0].packages == spec.packages
    monkeypatch.chdir(tmp_path)
    spec, _ = load_spec(None, {"packages": "debs:a.deb,b/b.deb"})
    assert spec.packages.files == (str(tmp_path / "a.deb"), str(tmp_path / "b/b.deb"))
    assert spec.packages.path is None
    _, saved = load_spec(None, {"packages": "debs:a.deb,b/b.deb"})
    monkeypatch.chdir("/")
    assert load_spec(None, {}, saved=saved)[0].packages == spec.packages
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with, comma").mkdir()
    spec, saved = load_spec(None, {"packages": "debs:with, comma"})
    assert spec.packages.path == str(tmp_path / "with, comma")
    monkeypatch.chdir("/")
    assert load_spec(None, {}, saved=saved)[0].packages == spec.packages


def test_addresses_stay_as_they_are_and_keys_of_lab_conf_may_have_underscores() -> None:
    address = "http://127.0.0.1/a.deb"
    old = {"versions_file": "/pins", "source": "jitsi"}
    assert with_source(old, f"debs:{address},/b.deb") == {
        "versions-file": "/pins",
        "source": "debs",
        "files": [address, "/b.deb"],
    }


def test_command_line_changes_the_source_and_leaves_repository_key_and_versions(
    tmp_path: Path,
) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text("""
        packages {
          source = debs, path = x, repository = "http://mirror.example/jitsi/",
          key = "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567"
          versions { jicofo = 1.0-1-1 }
        }
    """)
    spec, _ = load_spec(conf, {"packages": "jitsi"})
    assert spec.packages == Packages(
        PackageSource.JITSI,
        versions={"jicofo": "1.0-1-1"},
        repository="http://mirror.example/jitsi",
        key=KEY,
    )


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        ("jitsi:stabel", "Did you mean 'stable'?"),
        ("jitsi:/nowhere/pins", "'/nowhere/pins' cannot be read: No such file"),
        (
            {"source": "debs", "path": "a", "files": ["b.deb"]},
            "packages.files: cannot be given together",
        ),
        ({"source": "debs", "files": ["ftp://x/a.deb"]}, "packages.files: must begin with http"),
        ({"source": "jitsi", "versions-file": "/dev/null/x"}, "packages.versions-file: '/dev"),
        ({"source": "debs", "files": "b.deb"}, "packages.files: must be a list of .deb files"),
        ({"key": "1234"}, "packages.key: must be a fingerprint of 40 hexadecimal digits"),
        ({"repository": "ftp://x"}, "packages.repository: must be an address"),
    ],
    ids=["channel", "file", "both", "web", "versions", "no list", "key", "address"],
)
def test_mistakes(packages: Any, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(None, {}, saved={"packages": packages})
    assert problem in caught.value.message


def test_a_versions_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "pins").write_bytes(b"jicofo \xff\n")
    with pytest.raises(SpecError, match=r"pins' cannot be read: it is not text\."):
        load_spec(None, {"packages": f"jitsi:{tmp_path}/pins"})


def test_what_is_not_given_is_empty() -> None:
    packages = load_spec(None, {})[0].packages
    assert (packages.repository, packages.key, packages.files, packages.path) == ("", "", (), None)


def test_every_mistake_in_a_file_of_versions_is_told_with_its_line() -> None:
    problems: list[Problem] = []
    text = "jicofo 1.0-1-1\n\n  # comment\nJicofo 2\njicofo 3\nprosody\nweb 1 2\n"
    assert parse_versions(text, problems, name="'pins'").versions == {"jicofo": "1.0-1-1"}
    assert [problem.key for problem in problems] == [
        f"'pins', line {number}" for number in (4, 5, 6, 7)
    ]
    assert "a second time" in problems[1].message


QUERIED = (
    "adduser\t3.134\njicofo\t1.0-1196-1\njitsi-videobridge2:all\t2.3-312-ga29d97d13-1\n"
    "libapparmor-perl\t\nlibc6:amd64\t2.36-9\njitsi-meet-turnserver\t\n"
)
LISTED = """\
Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
||/ Name               Version               Architecture Description
+++-==================-=====================-============-================
ii  adduser            3.134                 all          add and remove users
ii  jicofo             1.0-1196-1            all          JItsi Meet COnference FOcus
hi  jitsi-videobridge2 2.3-312-ga29d97d13-1  all          WebRTC router
un  jitsi-meet-tokens  <none>                <none>       (no description available)
ii  libc6:amd64        2.36-9                amd64        GNU C Library
"""
APT = """\
WARNING: apt does not have a stable CLI interface. Use with caution in scripts.

Listing...
adduser/stable,now 3.134 all [installed]
jicofo/unknown,now 1.0-1196-1 all [installed,upgradable to: 1.0-1197-1]
jitsi-videobridge2/now 2.3-312-ga29d97d13-1 all [installed,local]
libc6/stable,now 2.36-9 amd64 [installed]
"""
INDEX = """\
Package: jicofo
Version: 1.0-1196-1
Depends: libc6
Description: x
 Package: no field

Package: jitsi-videobridge2
Architecture: all
Version: 2.3-312-ga29d97d13-1

Package: libc6
Version: 2.36-9
"""


@pytest.mark.parametrize(
    ("text", "others"),
    [
        pytest.param(QUERIED, 4, id="dpkg-query -W"),
        pytest.param(LISTED, 3, id="dpkg -l"),
        pytest.param(APT, 2, id="apt list --installed"),
        pytest.param(INDEX, 1, id="Packages"),
        pytest.param("\ufeff" + QUERIED.replace("\n", "\r\n"), 4, id="from another system"),
    ],
)
def test_lists_are_read_as_programs_print_them(text: str, others: int) -> None:
    problems: list[Problem] = []
    found = parse_versions(text, problems, name="'list'")
    assert problems == []
    assert found.versions == {
        "jicofo": "1.0-1196-1",
        "jitsi-videobridge2": "2.3-312-ga29d97d13-1",
    }
    assert found.others == others


def test_two_versions_of_a_package_in_a_list_are_a_problem() -> None:
    problems: list[Problem] = []
    text = "Package: jicofo\nVersion: 1\n\nPackage: jicofo\nVersion: 2\n\nPackage: x\n"
    parse_versions(text, problems, name="'list'")
    assert [str(problem) for problem in problems] == [
        "'list', stanza 2: names 'jicofo' a second time, in another version.",
        "'list', stanza 3: must have 'Package' and 'Version'.",
    ]
