"""Jicofo's seat in the brewery, read from Jicofo's log by the command that runs on the JMS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labctl.node.jicofo import LOG, SEAT_LOST

pytestmark = pytest.mark.programs

AT = "Jicofo 2026-12-01 12:12:0"
STARTS = f"{AT}0.100 INFO: [1] Main.main#49: Starting Jicofo.\n"
JOINS = f"{AT}1.200 INFO: [33] BaseBrewery.start#199: Joined the room.\n"
LEAVES = f"{AT}1.100 INFO: [33] BaseBrewery.stop#220: Left the room.\n"
SAID = "<text xmlns='urn:x'>You are not currently connected to this chat</text></error>\n"
REFUSED = (
    f"{AT}3.912 SEVERE: [33] JvbDoctor$HealthCheckTask.doHealthCheck#283: Unexpected error returned"
    " by the bridge: Bridge[jid=jvbbrewery@internal.auth.meet.lab.internal/jvb1, version=2.3], err:"
    f" <error by='jvbbrewery@internal.auth.meet.lab.internal' type='cancel'>{SAID}"
)
ELSEWHERE = f"{AT}4.000 WARNING: [room=a@conference.meet.lab.internal] err: <error>{SAID}"


@pytest.mark.parametrize(
    ("log", "lost"),
    [
        pytest.param("", False, id="no log"),
        pytest.param(STARTS + JOINS, False, id="joined"),
        pytest.param(STARTS + JOINS + REFUSED, True, id="refused"),
        pytest.param(JOINS + LEAVES + JOINS + REFUSED + REFUSED, True, id="after a new seat"),
        pytest.param(JOINS + REFUSED + LEAVES + JOINS, False, id="before a new seat"),
        pytest.param(JOINS + REFUSED + STARTS, False, id="before a restart"),
        pytest.param(JOINS + ELSEWHERE, False, id="of a conference"),
        pytest.param(
            JOINS + REFUSED.replace("jvbbrewery", "JvbBrewery"), True, id="as it is written"
        ),
    ],
)
def test_words_after_the_last_join_are_read(tmp_path: Path, log: str, lost: bool) -> None:
    path = tmp_path / "jicofo.log"
    if log:
        path.write_text(log)
    command = SEAT_LOST.replace(str(LOG), str(path)).replace("sudo ", "")
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10)
    assert bool(told.stdout.strip()) == lost
    assert not told.stderr
