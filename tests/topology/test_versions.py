"""Ranges of package versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.topology.releases import known_releases
from labctl.topology.versions import NEWEST, Versions, differ


@pytest.mark.parametrize(
    ("version", "holds"),
    [
        ("1.0-1189-1", False),
        ("1.0-1190-1", True),
        ("1.0-1195", True),
        ("1.0-1196-1", False),
        ("1.1-3-1", False),
        ("1.0-990-1", False),
    ],
)
def test_a_range_holds_from_its_first_to_its_last_version(version: str, holds: bool) -> None:
    both = Versions("jicofo", since="1.0-1190", until="1.0-1195")
    assert both.hold({"jicofo": version}) is holds


def test_what_has_no_number_counts_as_the_newest_known() -> None:
    newest = Versions("jicofo", since=NEWEST["jicofo"])
    assert newest.hold({})
    assert newest.hold({"jicofo": "0~standin12"})
    assert not Versions("jicofo", until="1.0-1195").hold({"jicofo": "0~standin12"})


def test_other_versions_than_the_newest_known_are_told() -> None:
    assert not differ({})
    assert not differ({name: f"{version}-1" for name, version in NEWEST.items()})
    assert differ({"jicofo": "1.0-1173-1"})
    assert differ({"jitsi-videobridge2": "2.3-400-gabc-1"})


@pytest.mark.parametrize(
    ("version", "has"),
    [("1.0.9378-1", True), ("1.0.9400-1", True), ("1.0.8982-1", False), ("0~standin1", True)],
)
def test_builds_are_numbers_too(version: str, has: bool) -> None:
    plugins = Versions("jitsi-meet-prosody", since="1.0.9378")
    assert plugins.hold({"jitsi-meet-prosody": version}) is has


def test_a_range_in_words() -> None:
    assert str(Versions("jicofo", since="1.0-3", until="1.0-9")) == "jicofo from 1.0-3 until 1.0-9"
    assert str(Versions("jicofo", until="1.0-9")) == "jicofo until 1.0-9"


def test_releases_are_in_the_order_of_time(tmp_path: Path) -> None:
    for name in ("debian-13", "debian-9", "debian-12"):
        (tmp_path / f"{name}.json").touch()
    assert known_releases(tmp_path) == ("debian-9", "debian-12", "debian-13")
