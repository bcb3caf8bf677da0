"""Only processes of one run are ended, and all of them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.e2e.leftovers import end_processes_of, processes_of


def test_processes_are_told_by_their_home(tmp_path: Path) -> None:
    homes = {"7": "/tmp/labctl-e2e-a", "8": "/tmp/labctl-e2e-ab", "9": "/root", "self": "/x"}
    for pid, home in homes.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "environ").write_bytes(f"A=1\0HOME={home}\0PATH=/bin\0".encode())
    (tmp_path / "10").mkdir()  # has ended meanwhile
    assert list(processes_of(Path("/tmp/labctl-e2e-a"), proc=tmp_path)) == [7]


@pytest.mark.programs
def test_a_browser_in_a_group_of_its_own_is_ended(tmp_path: Path) -> None:
    """As chromedriver starts it; one that does not listen to TERM is killed."""
    script = "trap '' TERM; sleep 60 & wait; wait"
    env = {**os.environ, "HOME": str(tmp_path)}
    stubborn = subprocess.Popen(["sh", "-c", script], env=env, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        # Popen returns when the program is being loaded; its environment comes after that.
        assert wait_until(
            lambda: stubborn.pid in processes_of(tmp_path),
            deadline=Deadline.after(10),
            interval=0.01,
        )
        end_processes_of(tmp_path)
        assert stubborn.wait(timeout=5) in (-signal.SIGKILL, -signal.SIGTERM)
        assert list(processes_of(tmp_path)) == []
        assert other.poll() is None
    finally:
        for child in (stubborn, other):
            child.kill()
            child.wait()
