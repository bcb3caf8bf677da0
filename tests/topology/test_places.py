"""Which project a folder belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.topology import places
from labctl.topology.places import CODE, IS_CHECKOUT, PROJECT, ROOT, find_config, find_project

ME = os.geteuid()


def found(folder: Path, *, user: int = ME) -> Path:
    return find_project(folder, state=Path("/state"), user=user)


def test_a_checkout_is_its_own_project(root: Path) -> None:
    assert IS_CHECKOUT
    assert {CODE, ROOT, PROJECT} == {root}


@pytest.mark.parametrize("mark", [".lab/", "lab.conf"])
def test_the_nearest_folder_with_labs_or_a_lab_conf(mark: str, tmp_path: Path) -> None:
    inner = tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "project"):
        path = folder / mark
        path.mkdir() if mark.endswith("/") else path.touch()
    assert found(inner) == tmp_path / "project"
    assert found(tmp_path / "project") == tmp_path / "project"


def test_without_a_project_it_is_the_users_state(tmp_path: Path) -> None:
    assert found(tmp_path) == Path("/state")


def test_a_folder_above_of_somebody_else_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "lab.conf").touch()
    assert found(tmp_path / "a") == tmp_path
    assert found(tmp_path / "a", user=ME + 1) == Path("/state")
    assert found(tmp_path, user=ME + 1) == tmp_path, "the user stands in it"


def test_which_lab_conf_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    (tmp_path / "lab.conf").touch()
    assert find_config(project=tmp_path) is None, "a checkout's is read only in its folder"
    monkeypatch.setattr(places, "IS_CHECKOUT", False)
    assert find_config(project=tmp_path) == tmp_path / "lab.conf"
    assert find_config(project=tmp_path / "elsewhere") is None
    (inner / "lab.conf").touch()
    assert find_config(project=tmp_path) == Path("lab.conf")
