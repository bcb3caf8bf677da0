"""How long images took to make; a file that cannot be used is no obstacle."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.images.baketimes import bake_times_file, find_bake_seconds, note_bake
from labctl.images.plan import ImageKind

KIND = ImageKind.CONTAINER


def test_the_median_of_those_with_the_nearest_number_of_roles() -> None:
    assert find_bake_seconds(KIND, roles=3, base=True) is None
    for seconds in (60, 300, 64):
        note_bake(KIND, roles=3, base=True, seconds=seconds)
    note_bake(KIND, roles=1, base=True, seconds=40)
    note_bake(KIND, roles=1, base=False, seconds=20)
    assert find_bake_seconds(KIND, roles=3, base=True) == 64
    assert find_bake_seconds(KIND, roles=1, base=True) == 40
    assert find_bake_seconds(KIND, roles=2, base=False) == 20
    assert find_bake_seconds(ImageKind.DISK, roles=3, base=True) is None


def test_only_the_newest_count() -> None:
    for seconds in (*[100] * 30, *[10] * 5):
        note_bake(KIND, roles=3, base=True, seconds=seconds)
    assert find_bake_seconds(KIND, roles=3, base=True) == 10


@pytest.mark.parametrize("text", ["", "{", '{"format": 99}', '{"runs": 3}'])
def test_a_file_that_cannot_be_used_is_begun_anew(text: str) -> None:
    bake_times_file().parent.mkdir(parents=True, exist_ok=True)
    bake_times_file().write_text(text)
    assert find_bake_seconds(KIND, roles=3, base=True) is None
    note_bake(KIND, roles=3, base=True, seconds=60)
    assert find_bake_seconds(KIND, roles=3, base=True) == 60


def test_images_are_made_where_it_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    note_bake(KIND, roles=3, base=True, seconds=60)
