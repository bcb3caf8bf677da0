"""A lab's folder, and where files are that outlive every lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.state import Flaw, StateError
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir, lab_names, state_dir


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("/state", "/state/labctl"),
        ("", "{home}/.local/state/labctl"),
        ("relative", "{home}/.local/state/labctl"),
        (None, "{home}/.local/state/labctl"),
    ],
)
def test_the_users_state_is_where_xdg_has_it(
    named: str | None, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    if named is None:
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_STATE_HOME", named)
    assert str(state_dir()) == found.format(home=tmp_path)


def test_a_home_folder_is_asked_for_only_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needless = "labctl.topology.workdir.ensure_home"
    monkeypatch.setattr(needless, lambda: pytest.fail("nobody needs it"))
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_dir() == Path("/state/labctl")


def test_consoles_are_among_the_logs() -> None:
    assert Workdir(Path("/labs/demo")).console("jvb1") == Path("/labs/demo/logs/console-jvb1.log")


def saved(root: Path, folder: str, lab: str) -> Workdir:
    workdir = Workdir.of(folder, root=root)
    workdir.path.mkdir(parents=True)
    workdir.save_topology(resolve(Spec(lab=lab, jvbs=1, visitors=0)))
    return workdir


def test_another_labs_topology_is_named_with_the_cure(tmp_path: Path) -> None:
    workdir = saved(tmp_path, "demo", "other")
    with pytest.raises(StateError, match="belongs to lab 'other', not to 'demo'") as caught:
        workdir.find_topology()
    assert caught.value.flaw is Flaw.FOREIGN
    assert caught.value.hint == "Run 'labctl destroy --lab demo' to remove this folder."


def test_a_topology_is_found_unless_it_is_missing_or_damaged(tmp_path: Path) -> None:
    assert Workdir.of("none", root=tmp_path).find_topology() is None
    workdir = saved(tmp_path, "demo", "demo")
    assert workdir.find_topology() == resolve(Spec(lab="demo", jvbs=1, visitors=0))
    workdir.topology_file.write_text("{")
    assert workdir.find_topology() is None


def test_labs_are_the_folders_with_a_topology(tmp_path: Path) -> None:
    for name in ("b", "a", "Not-A-Name"):
        saved(tmp_path, name, name)
    (tmp_path / ".lab" / "empty").mkdir()
    (tmp_path / ".lab" / "current").symlink_to("a")
    assert lab_names(root=tmp_path) == ("a", "b")
