"""What bin/test leaves behind, however it ends: nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.topology.workdir import Workdir
from tests import leftovers
from tests.daemons import PROVIDERS
from tests.leftovers import Found, clean, find_labs

ROOT = Path(__file__).resolve().parent.parent

# A test that starts a program in a session of its own, as labctl does, and waits for it.
HANGS = """
import pathlib, subprocess
def test_it():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    pathlib.Path({note!r}).write_text(str(child.pid))
    child.wait()
"""


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """bin/test's pytest, which hangs in a test, and the process that this test has started."""
    note, test = tmp_path / "pid", tmp_path / "test_hangs.py"
    test.write_text(HANGS.format(note=str(note)))
    words = [sys.executable, "-m", "tests.prepare", "", "-q", "-p", "no:cacheprovider"]
    runs = subprocess.Popen(
        [*words, "--rootdir", str(tmp_path), "-c", os.devnull, str(test)],
        cwd=ROOT,
        env={name: it for name, it in os.environ.items() if name != leftovers.MARK},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        began = wait_until(
            lambda: note.exists() and bool(note.read_text()),
            # A busy machine takes its time to start Python twice.
            deadline=Deadline.after(240),
            interval=0.1,
        )
        assert began
        yield runs, int(note.read_text())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(runs.pid, signal.SIGKILL)
        runs.wait()


@pytest.mark.programs
@pytest.mark.parametrize("kind", ["INT", "TERM", "KILL"])
def test_what_the_tests_started_ends_with_them(
    hanging: tuple[subprocess.Popen[bytes], int], kind: str
) -> None:
    """To the whole group, as a terminal, a CI's timeout and the kernel's OOM killer do."""
    runs, pid = hanging
    assert is_alive(pid)
    os.killpg(runs.pid, signal.Signals[f"SIG{kind}"])
    assert wait_until(lambda: not is_alive(pid), deadline=Deadline.after(20), interval=0.1)
    runs.wait(timeout=30)


def test_labs_that_are_new_and_the_tests_go_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LABCTL_KEEP", raising=False)
    for name in ("course", "selftest", "gate-baseline", "vmtest", ".gate"):
        Workdir.of(name, root=tmp_path).path.mkdir(parents=True)
    assert list(find_labs(tmp_path)) == ["gate-baseline", "selftest", "vmtest"]
    removed: list[str] = []
    monkeypatch.setattr(leftovers, "remove", lambda folder: removed.append(folder.lab))
    clean(Found(run="none", labs=("vmtest",), current="course"), root=tmp_path)
    assert removed == ["gate-baseline", "selftest"]
    monkeypatch.setenv("LABCTL_KEEP", "1")
    clean(Found(run="none"), root=tmp_path)
    assert len(removed) == 2


class Daemon:
    """One that runs, and notes when it is stopped."""

    def __init__(self, said: list[str], *machines: str) -> None:
        self.said, self.machines = said, machines

    def runs(self) -> bool:
        return True

    def used(self) -> tuple[str, ...]:
        return self.machines

    def stop(self) -> None:
        self.said.append("daemon")


def test_each_way_to_call_bin_test_names_known_providers() -> None:
    text = (ROOT / "bin" / "test").read_text()
    named = re.findall(r"providers='?([^'\s]*)'?", text)
    assert {"docker", "docker,several", "libvirt,docker", ""} == set(named)
    assert {name for one in named for name in one.split(",") if name} <= set(PROVIDERS)


def test_daemons_stop_after_the_machines_that_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LABCTL_KEEP", raising=False)
    Workdir.of("vmtest", root=tmp_path).path.mkdir(parents=True)
    said: list[str] = []
    monkeypatch.setattr(leftovers, "PROVIDERS", {"libvirt": Daemon(said)})
    monkeypatch.setattr(leftovers, "remove", lambda folder: said.append(folder.lab))
    clean(Found(run="none", stopped=("libvirt",)), root=tmp_path)
    assert said == ["vmtest", "daemon"]


def test_a_daemon_that_others_use_by_now_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    monkeypatch.setattr(leftovers, "PROVIDERS", {"docker": Daemon(said, "labctl-course-jms")})
    leftovers.stop("docker")
    assert said == []
    assert "labctl-course-jms" in capsys.readouterr().err
