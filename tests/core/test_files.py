"""Files are written whole, and stay after a power cut where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.files import write_file, write_json


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secrets.json"
    write_json(path, {"a": "ä"}, mode=0o600)
    before = path.open(encoding="utf-8")
    write_json(path, {"b": 2}, mode=0o600)
    assert before.read() == '{\n  "a": "ä"\n}\n'
    before.close()
    assert path.read_text(encoding="utf-8") == '{\n  "b": 2\n}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_durable_file_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    replace, sync = Path.replace, os.fsync

    def note_sync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append("sync folder" if target.is_dir() else f"sync {target.read_text()}")
        sync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        done.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_file(tmp_path / "a", "text", durable=True)
    assert done == ["sync text", "name", "sync folder"]
    done.clear()
    write_file(tmp_path / "b", "text")
    assert done == ["name"]


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "topology.json").mkdir()
    with pytest.raises(LabError) as caught:
        write_file(tmp_path / "topology.json", "text")
    path = tmp_path / "topology.json"
    assert caught.value.message == f"'{path}' cannot be written: Is a directory."
    assert caught.value.hint == "Remove it or give it another name."
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_is_interrupted_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    write_file(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match="No space left on device"):
        write_file(path, "new", durable=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
