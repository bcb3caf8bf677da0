"""standins/build: eight packages, the same bytes every time, each saying what it is."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"jicofo", "jitsi-meet", "jitsi-meet-prosody", "jitsi-meet-tokens",
            "jitsi-meet-turnserver", "jitsi-meet-web", "jitsi-meet-web-config",
            "jitsi-videobridge2"}  # fmt: skip

pytestmark = pytest.mark.programs


def build(folder: Path, *, epoch: str = "1767225600") -> dict[str, bytes]:
    subprocess.run(
        [ROOT / "standins/build", folder], check=True, timeout=60, stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
    )  # fmt: skip
    return {path.name.split("_")[0]: path.read_bytes() for path in folder.glob("*.deb")}


def field(deb: Path, name: str) -> str:
    words = ["dpkg-deb", "--field", str(deb), name]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=20).stdout


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    began = time.monotonic()
    first = build(tmp_path / "one")
    assert time.monotonic() - began < 10
    assert set(first) == PACKAGES
    assert build(tmp_path / "two") == first
    assert build(tmp_path / "later", epoch="1767312000") != first


def test_every_package_says_what_it_is(tmp_path: Path) -> None:
    build(tmp_path)
    for deb in sorted(tmp_path.glob("*.deb")):
        assert "STAND-IN" in field(deb, "Description"), deb.name
        assert field(deb, "Version").strip() == "0~standin1"
        scripts = tmp_path / f"{deb.stem}-control"
        subprocess.run(["dpkg-deb", "--control", deb, scripts], check=True, timeout=20)
        assert "/etc/jitsi/STAND-IN" in (scripts / "postinst").read_text()
        assert "/etc/jitsi/STAND-IN" in (scripts / "prerm").read_text()


def test_an_unknown_package_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "standins/build", tmp_path, "jibri"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert "no package 'jibri'" in done.stderr
