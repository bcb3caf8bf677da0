"""State files of other versions, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.core.state import Flaw, StateError, StateKind, load_state, save_state

KIND: StateKind[str] = StateKind(
    format=3,
    parse=lambda data: str(data["name"].strip()),
    remedy="Make it anew.",
    outgrown="Use the newer one.",
    migrations={
        1: lambda data: {"label": data["title"]},
        2: lambda data: {"name": data["label"]},
    },
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "thing.json"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"title": "x"}, id="without a format"),
        pytest.param({"format": 1, "title": "x"}, id="first"),
        pytest.param({"format": 2, "label": "x"}, id="second"),
        pytest.param({"format": 3, "name": "x"}, id="present"),
        pytest.param({"format": 3, "name": "x", "later": 1}, id="with more"),
    ],
)
def test_every_format_so_far_is_read(path: Path, data: object) -> None:
    path.write_text(json.dumps(data))
    assert load_state(path, KIND) == "x"


def test_what_is_saved_has_the_present_format(path: Path) -> None:
    save_state(path, KIND, {"name": "y"}, mode=0o600)
    assert json.loads(path.read_text()) == {"format": 3, "name": "y"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_state(path, KIND) == "y"


@pytest.mark.parametrize(
    ("text", "flaw", "said"),
    [
        ("", Flaw.DAMAGED, "it is empty"),
        ("\x00\x00\x00", Flaw.DAMAGED, "it is empty"),
        ('{"format": 3, "na', Flaw.DAMAGED, "it ends too early"),
        ('{"format": 3,\n', Flaw.DAMAGED, "it ends too early"),
        ('{\n"format": 3,\nname\n}', Flaw.DAMAGED, "line 3 is not JSON"),
        ("[]", Flaw.DAMAGED, "it holds a list, not an object"),
        ('{"format": "3", "name": "x"}', Flaw.DAMAGED, "it has format '3', which no labctl wrote"),
        ('{"format": 0}', Flaw.DAMAGED, "it has format 0, which no labctl wrote"),
        ('{"format": 3}', Flaw.DAMAGED, "it lacks 'name'"),
        ('{"title": null}', Flaw.DAMAGED, "'NoneType' object has no attribute"),
        ('{"format": 4, "name": "x"}', Flaw.NEWER,
         "a newer labctl wrote it, in another format (4; this one knows up to 3)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(path: Path, text: str, flaw: Flaw, said: str) -> None:
    path.write_text(text)
    with pytest.raises(StateError) as caught:
        load_state(path, KIND)
    assert caught.value.flaw is flaw
    head = "" if flaw is Flaw.NEWER else "is damaged and "
    assert caught.value.message.startswith(f"'{path}' {head}cannot be read: {said}")
    newer = "Use the newer one."
    assert caught.value.hint == (newer if flaw is Flaw.NEWER else "Make it anew.")


def test_bytes_that_are_not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StateError, match="is damaged and cannot be read: it is not text"):
        load_state(path, KIND)


def test_no_file_and_a_folder_in_its_place(path: Path) -> None:
    with pytest.raises(StateError) as caught:
        load_state(path, KIND)
    assert caught.value.flaw is Flaw.MISSING
    path.mkdir()
    with pytest.raises(StateError) as caught:
        load_state(path, KIND)
    assert (caught.value.flaw, caught.value.message) == (
        Flaw.NOT_A_FILE,
        f"'{path}' is not a file.",
    )
    assert caught.value.hint == "Remove it or give it another name."
