"""Drills on a real lab: the how-to's check, and faults undone however labctl ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labctl.core.waiting import Deadline, wait_until
from tests.labs.conftest import LABCTL, ROOT, Lab

pytestmark = pytest.mark.lab


def stopped(lab: Lab) -> str:
    """Bridges that are stopped by a signal (state T), by node."""
    script = "ps -o stat= -p $(systemctl show -P MainPID jitsi-videobridge2)"
    found = ""
    for node in ("jms", "jvb1", "jvb2"):
        state = lab.run("exec", node, "--", "sh", "-c", script, check=False).out
        found += f"{node} " if state.startswith("T") else ""
    return found


@contextmanager
def hanging_bridge(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """A labctl in the middle of the drill 'bridge-hang'."""
    journal = lab.path / "drill.json"
    child = subprocess.Popen(
        [LABCTL, "drill", "run", "bridge-hang"],
        cwd=ROOT,
        env={**os.environ, "LABCTL_LAB": lab.name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A shell that runs us in the background ignores Ctrl-C, and its children would, too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = Deadline.after(60)
        assert wait_until(journal.is_file, deadline=deadline, interval=0.1), "nothing was broken"
        assert wait_until(lambda: bool(stopped(lab)), deadline=deadline, interval=0.1)
        yield child
    finally:
        child.kill()
        child.wait()


def test_the_failover_check_comes_out_as_expected(lab: Lab) -> None:
    (result,) = lab.run("drill", "run", "--json", "-").json()
    assert (result["name"], result["verdict"]) == ("failover", "as expected")
    assert {each["mark"] for each in result["timeline"]} >= {"terminated", "re-invited"}
    assert result["healthy_after"] < 60
    assert not (lab.path / "drill.json").exists()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_an_interrupted_drill_undoes_its_fault(lab: Lab, kind: signal.Signals) -> None:
    with hanging_bridge(lab) as child:
        child.send_signal(kind)
        assert child.wait(timeout=30) == 130
    assert stopped(lab) == ""
    assert not (lab.path / "drill.json").exists()


def test_what_a_killed_labctl_broke_is_mended_by_the_next(lab: Lab) -> None:
    with hanging_bridge(lab) as child:
        child.kill()
        child.wait()
    assert stopped(lab) != ""
    ended = lab.run("drill", "run", "jicofo-restart")
    assert "undoing what an interrupted drill left" in ended.err
    assert stopped(lab) == ""


def test_a_blip_interrupts_calls_and_loses_nobody(lab: Lab) -> None:
    blip = lab.run("blip", "--json").json()
    assert blip["good"]
    assert [loss["bridge"] for loss in blip["losses"]] == ["jvb", "jvb1", "jvb2"]
    assert sum(loss["interrupted"] for loss in blip["losses"]) > 0
    assert blip["seconds"]["max"] < 30
