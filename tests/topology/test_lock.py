"""One command at a time works on a lab, and whoever waits is told for whom."""

from __future__ import annotations

import multiprocessing
import os
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.topology.lock import locked, render_age
from labctl.topology.workdir import Workdir


@pytest.fixture
def folder(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path)


def lock_file(folder: Workdir) -> Path:
    return folder.path.parent / ".demo.lock"


def take(folder: Workdir) -> None:
    with locked(folder, what="halt"):
        pass


def test_the_holder_is_named_with_its_process_and_age(folder: Workdir) -> None:
    with locked(folder, what="up"):
        with pytest.raises(LabError) as caught:
            take(folder)
        assert caught.value.message == (
            f"Lab 'demo' is held by 'labctl up' (process {os.getpid()}), which began 0 s ago."
        )
        assert caught.value.hint
        lock_file(folder).write_text(f"7 {time.time() - 700:.0f} drill run")
        with pytest.raises(LabError, match=r"'labctl drill run' \(process 7\), which began 11 min"):
            take(folder)
    take(folder)


@pytest.mark.parametrize("text", ["", "x", "1 y up", "\0" * 99, "'labctl up' (process 12)"])
def test_a_lock_file_of_unknown_content_holds_all_the_same(folder: Workdir, text: str) -> None:
    with locked(folder, what="up"):
        lock_file(folder).write_text(text)
        with pytest.raises(LabError, match="Lab 'demo' is held by another labctl"):
            take(folder)


def test_the_lock_of_a_process_that_has_gone_does_not_count(folder: Workdir) -> None:
    take(folder)
    lock_file(folder).write_text("1 0 up")
    take(folder)


def test_the_lock_goes_with_the_labs_folder(folder: Workdir) -> None:
    with locked(folder, what="destroy"):
        folder.path.rmdir()
    assert list(folder.path.parent.iterdir()) == []


def test_what_is_in_the_way_is_named(folder: Workdir) -> None:
    folder.path.parent.mkdir()
    folder.path.touch()
    with pytest.raises(LabError, match="is not a folder, so there can be no lab 'demo'") as caught:
        take(folder)
    assert caught.value.hint == "Remove it, or use another name with '--lab NAME'."
    folder.path.unlink()
    lock_file(folder).unlink()
    lock_file(folder).mkdir()
    with pytest.raises(LabError, match=r"\.demo\.lock' cannot be opened: Is a directory") as caught:
        take(folder)
    assert caught.value.hint == "labctl must be able to write there."


def test_a_labs_folder_is_made_with_all_above_it(tmp_path: Path) -> None:
    folder = Workdir.of("demo", root=tmp_path / "a" / "b")
    with locked(folder, what="up"):
        assert folder.path.is_dir()


def test_a_command_that_leaves_nothing_leaves_no_folder(folder: Workdir) -> None:
    take(folder)
    assert list(folder.path.parent.iterdir()) == []
    with locked(folder, what="up"):
        (folder.path / "spec.json").touch()
    take(folder)
    assert (folder.path / "spec.json").exists()


def test_a_lock_file_that_is_no_text_holds_all_the_same(folder: Workdir) -> None:
    with locked(folder, what="up"):
        lock_file(folder).write_bytes(b"\xff\xfe 1 2")
        with pytest.raises(LabError, match="Lab 'demo' is held by another labctl") as caught:
            take(folder)
    assert caught.value.hint == "Wait until it ends, or use another lab with '--lab NAME'."


def _destroy_and_take(folder: Workdir, count: int, inside: Event, twice: Event) -> None:
    """Take the lock again and again, and remove the lab each time; say if two are inside."""
    while count:
        try:
            with locked(folder, what="destroy"):
                if inside.is_set():
                    twice.set()
                inside.set()
                folder.path.rmdir()
                inside.clear()
                count -= 1
        except LabError:
            continue


def test_two_processes_never_hold_one_lab_although_each_removes_the_file(folder: Workdir) -> None:
    context = multiprocessing.get_context("fork")
    inside, twice = context.Event(), context.Event()
    workers = [
        context.Process(target=_destroy_and_take, args=(folder, 200, inside, twice))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert not twice.is_set()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")],
)
def test_ages(seconds: float, text: str) -> None:
    assert render_age(seconds) == text
