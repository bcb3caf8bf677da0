"""Every exercise on one small lab: start, the check fails, solve, the check passes, reset.

At the end, a lab that somebody has broken beyond repair comes back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from labctl.core.progress import silent
from labctl.lab.rebuild import rebuild
from labctl.lab.remove import tear_down
from labctl.lab.up import bring_up
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.spec import load_spec
from labctl.topology.lab import Lab
from labctl.topology.lock import locked
from labctl.topology.workdir import Workdir
from labctl.training import session
from labctl.training.facts import compare, load_records, read_records
from labctl.training.progress import Standing, load_progress

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NAME = "selftest-class"
SPEC = {
    "lab": NAME, "jvbs": "2", "visitors": "2", "small": True, "network": "10.77.73.0/24",
    "provider": "docker", "packages": "stand-ins",
}  # fmt: skip
NAMES = [exercise.name for exercise in session.get_exercises()]
WORDS = {
    "brewery-password": "Prosody refuses its password",
    "bridge-address": "No node of the lab has the address 10.77.73.250",
    "expired-certificate": "The certificate that nginx shows on the JMS expired",
    "failover-logs": "The question 'bridge' has no answer",
    "firewall-media": "The firewall of node 'jvb1' drops UDP to 10.77.73.106:10000",
    "forgotten-whitelist": "A visitor waits at the door of 'v1'",
    "hung-bridge": "does not answer on its own health endpoint",
    "ninth-vnode": "Jicofo is not connected to 'v9'",
    "rolling-upgrade": "The bridge on 'jvb2' still has the old package",
    "s2s-wrong-port": "A visitor waits at the door of 'v1'",
    "third-bridge": "would not start when the machine boots",
    "visitor-limit": "Only 3 of the first 5 people got a seat",
}
"""What each check says of the start state, among other things."""
SOLVED_SECONDS = 30.0
QUICK = ("failover-logs", "firewall-media", "third-bridge")
"""Those that every run of the tests has: a call, a check by sound, and a node that is set up."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    folder = Workdir.of(NAME)
    tear_down(folder, progress=silent, forget=True)
    spec, data = load_spec(None, SPEC)
    with locked(folder, what="test"):
        found = bring_up(spec, data, workdir=folder, progress=silent, refresh=False).lab
        yield found.measured()
        tear_down(folder, progress=silent, forget=True)


def test_every_exercise_has_words() -> None:
    assert sorted(WORDS) == NAMES
    assert len(NAMES) >= 12


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in NAMES],
)
def test_an_exercise_from_its_start_to_its_end(lab: Lab, name: str) -> None:
    session.start(lab, session.get_exercise(name), progress=silent)
    before = session.check(lab, progress=silent)
    assert not before.solved
    assert WORDS[name] in "\n".join(before.wrong)
    session.solve(lab, progress=silent)
    after = session.check(lab, progress=silent, seconds=SOLVED_SECONDS)
    assert after.wrong == ()
    assert load_progress(lab.folder).attempt(name).standing is Standing.SHOWN
    assert_as_new(lab, reset=True)


def assert_as_new(lab: Lab, *, reset: bool) -> None:
    """After a reset, nothing differs from the record of the nodes' first minute."""
    records = load_records(lab.folder)
    if reset:
        session.reset(lab, progress=silent)
    names = [node.name for node in lab.topology.nodes]
    for node, now in read_records(lab, names).items():
        assert now is not None
        assert compare(records[node], now) == [], node


def test_a_lab_comes_back_from_any_state(lab: Lab) -> None:
    """What a student might do: folders deleted, a process stopped, users and addresses added."""
    broken = {
        "jms": "rm -rf /etc/prosody; systemctl mask jicofo; useradd somebody",
        "jvb1": "systemctl kill --signal=STOP jitsi-videobridge2; touch /etc/profile.d/mine.sh",
        "jvb2": "rm -rf /usr/share/jitsi-videobridge; ip address add 10.9.9.9/24 dev lo",
        "visitors1": "systemctl disable --now prosody-v@1; rm /etc/prosody-v2/prosody.cfg.lua",
    }
    for node, script in broken.items():
        reach(lab).run(node, ShellScript(script), sudo=True)
    session.reset(lab, progress=silent)
    assert_as_new(lab, reset=False)


def test_one_node_is_made_anew_in_seconds(lab: Lab) -> None:
    reach(lab).run("jvb1", ShellScript("touch /srv/mine; rm -rf /etc/jitsi"), sudo=True)
    began = time.monotonic()
    rebuild(lab, ["jvb1"], progress=silent)
    assert time.monotonic() - began < lab.patience.scaled(30)
    left = reach(lab).run("jvb1", ShellScript("ls /srv /etc/jitsi/videobridge"), sudo=True)
    assert "mine" not in left.output
    assert "jvb.conf" in left.output
