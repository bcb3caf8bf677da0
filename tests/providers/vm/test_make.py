"""What stops the making of a disk, and what is said then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from labctl.core.errors import LabError
from labctl.providers.vm.make import MOST_BYTES, check_size, check_space, consoles_kept
from labctl.topology.spec import Role


@pytest.fixture(autouse=True)
def _data_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def test_no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=3_999_999_999)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(LabError, match=r"has 3999 MB free; .* need up to 4000 MB") as caught:
        check_space(4_000_000_000)
    assert caught.value.hint is not None
    assert "labctl images prune" in caught.value.hint
    assert "--jobs 1" in caught.value.hint
    usage.free += 1
    check_space(4_000_000_000)


def test_a_role_that_is_too_large() -> None:
    check_size(Role.JMS, MOST_BYTES)
    with pytest.raises(LabError, match="'jms' is 900 MB packed, more than 900 MB"):
        check_size(Role.JMS, MOST_BYTES + 1)


def test_a_console_outlives_its_machine(tmp_path: Path) -> None:
    log, folder = tmp_path / "build.log", tmp_path / "guest-boot-jvb"
    log.write_text("packing\n")
    folder.mkdir()
    (folder / "console.log").write_text("Kernel panic - not syncing\n")
    with (
        pytest.raises(LabError, match="did not answer") as caught,
        consoles_kept(tmp_path, log=log),
    ):
        raise LabError("The machine 'boot-jvb' did not answer ssh within 300 s.")
    assert caught.value.log == log
    assert log.read_text() == (
        "packing\n##### guest-boot-jvb/console.log\nKernel panic - not syncing\n\n"
    )
