"""Which files a node needs, worked out by this machine's apt over a local repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labctl.images.debian import Mirror, Release
from labctl.images.debs import load_debs
from labctl.images.packages import Package, PackageOrigin, PackageSet
from labctl.upgrade.larder import Larder, UnmetError, parse_simulated
from tests.repository import build_deb

NOWHERE = Mirror("http://127.0.0.1:9/debian")
RELEASE = Release("trixie", "trixie-backports", ("prosody",), "13.0.6", (), ())
STATUS = (
    "Package: jicofo\nStatus: install ok installed\nVersion: 0.9-1\nArchitecture: all\n"
    "Maintainer: x\nDescription: x\n"
)


def test_what_apt_would_install() -> None:
    text = (
        "Inst libfoo:amd64 (2:1.0-1 Debian:13/stable [amd64])\n"
        "Inst jicofo [0.9-1] (1.0-1 labctl [all])\n"
        "Conf jicofo (1.0-1 labctl [all])\n"
    )
    assert parse_simulated(text) == ["libfoo_2%3a1.0-1_amd64.deb", "jicofo_1.0-1_all.deb"]


@pytest.fixture
def larder(tmp_path: Path) -> Larder:
    folder = tmp_path / "debs"
    folder.mkdir()
    build_deb(folder, "jicofo", version="1.0-1", fields="Depends: helper\n")
    build_deb(folder, "helper")
    build_deb(folder, "jitsi-meet", fields="Depends: jicofo (= 9)\n")
    debs = {deb.name: deb for deb in load_debs(folder, architecture="all").debs}
    main = Package("jicofo", PackageOrigin.DEBS, "1.0-1", debs["jicofo"])
    meta = Package("jitsi-meet", PackageOrigin.DEBS, "1.0-1", debs["jitsi-meet"])
    packages = PackageSet((main,), others=(debs["helper"],), extras=(meta,))
    return Larder(packages, NOWHERE, RELEASE, tmp_path / "larder")


apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")


@apt
@pytest.mark.programs
def test_dependencies_come_along(larder: Larder) -> None:
    assert larder.names() == ("jicofo", "jitsi-meet", "helper")
    files = larder.files(["jicofo"], status="")
    assert sorted(file.name for file in files) == ["helper_1.0-1_all.deb", "jicofo_1.0-1_all.deb"]
    assert all(file.read_bytes().startswith(b"!<arch>") for file in files)


@apt
@pytest.mark.programs
def test_what_a_node_has_is_upgraded_and_nothing_else(larder: Larder) -> None:
    helper = "\nPackage: helper\nStatus: install ok installed\nVersion: 1.0-1\nArchitecture: all\n"
    files = larder.files(["jicofo"], status=STATUS + helper)
    assert [file.name for file in files] == ["jicofo_1.0-1_all.deb"]
    newer = STATUS.replace("0.9-1", "7.0-1") + helper
    back = larder.files(["jicofo"], status=newer)
    assert [file.name for file in back] == ["jicofo_1.0-1_all.deb"]


@apt
@pytest.mark.programs
def test_what_cannot_be_installed_is_named(larder: Larder, monkeypatch: pytest.MonkeyPatch) -> None:
    # Debian's mirror cannot help: without it the local repository decides alone.
    monkeypatch.setattr("labctl.upgrade.larder.render_sources", lambda mirror, release: "")
    with pytest.raises(UnmetError, match="jitsi-meet") as caught:
        larder.files(["jitsi-meet"], status="")
    assert caught.value.package == "jitsi-meet"
    assert "jicofo (= 9)" in caught.value.message
