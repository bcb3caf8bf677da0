"""A bundle that was damaged on its way is told file by file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.bundle.model import Bundle
from labctl.bundle.verify import verify_bundle
from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.core.state import StateError


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def to_windows(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("images/a.tar", flip, "'images/a.tar' is damaged."),
        ("images/a.tar", cut, "'images/a.tar' has 4 bytes, not 5."),
        ("seeds/jms/place", Path.unlink, "'seeds/jms/place' is missing."),
        ("seeds/jvb1/hostname", to_windows, "'seeds/jvb1/hostname' has 6 bytes, not 5."),
        ("SHA256SUMS", Path.unlink, "'SHA256SUMS' is missing."),
    ],
)
def test_the_file_is_named(
    bundle: Bundle, target: Path, name: str, damage: Callable[[Path], object], said: str
) -> None:
    damage(target / name)
    report = verify_bundle(target, progress=silent)
    assert [str(problem) for problem in report.problems] == [said]


def test_a_list_that_was_changed_is_told(bundle: Bundle, target: Path) -> None:
    file = target / "bundle.json"
    file.write_text(file.read_text().replace('"lab": "demo"', '"lab": "Demo"'))
    (problem,) = verify_bundle(target, progress=silent).problems
    assert str(problem) == "'bundle.json' differs from its checksum in 'SHA256SUMS'."


def test_a_list_that_cannot_be_read_is_told(bundle: Bundle, target: Path) -> None:
    cut(target / "bundle.json")
    cut(target / "bundle.json")
    with pytest.raises(StateError, match=r"bundle\.json' is damaged") as caught:
        verify_bundle(target, progress=silent)
    assert caught.value.hint == "Copy the bundle again from where it came."


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"is not a bundle: it has no 'bundle\.json'"):
        verify_bundle(tmp_path, progress=silent)


def test_keys_that_others_can_read_are_noted(bundle: Bundle, target: Path) -> None:
    (target / "ssh" / "key").chmod(0o755)  # as on a stick
    report = verify_bundle(target, progress=silent)
    assert not report.problems
    assert "Other users of this machine can read the lab's keys" in report.notes[0]
