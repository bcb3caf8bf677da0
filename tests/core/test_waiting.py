"""Deadlines, and the one factor by which they are longer for a lab of slow machines."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from labctl.cli.common import load_lab
from labctl.core.process import Result
from labctl.core.waiting import NO_PATIENCE, Deadline, Patience, wait_until
from labctl.crowd.errors import CrowdError
from labctl.crowd.recorder import Recorder
from labctl.drills.findings import Moment
from labctl.drills.judge import judge_one
from labctl.drills.model import Expectation, Mark, Who
from labctl.node import openssh, ssh
from labctl.node.reach import reach
from labctl.node.script import Command
from labctl.report.drill import DrillVerdict
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from provision.phases import render_stage
from provision.plan import ProvisionStage


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    found = Workdir.of("demo", root=tmp_path)
    found.path.mkdir(parents=True)
    return found


def test_without_patience_nothing_is_longer() -> None:
    none = NO_PATIENCE
    assert (none.factor, none.scaled(7.5), none.whole(2)) == (1.0, 7.5, 2)
    assert 9.5 < none.deadline(10).left <= 10
    assert 9.5 < Deadline.after(10).left <= 10


def test_patience_makes_deadlines_longer_and_never_shorter() -> None:
    patience = Patience(2.5)
    assert 24.5 < patience.deadline(10).left <= 25
    assert 9.8 < patience.unscaled(patience.deadline(10).left) <= 10
    assert (patience.scaled(2), patience.whole(1)) == (5.0, 3)
    with pytest.raises(ValueError, match=r"at least 1, got 0\.1"):
        Patience(0.1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('{"patience": 8}', 8.0, id="said"),
        pytest.param('{"patience": 0.5}', 1.0, id="too small"),
        pytest.param('{"patience": "much"}', 1.0, id="no number"),
        pytest.param("{}", 1.0, id="not said"),
        pytest.param("[", 1.0, id="damaged"),
        pytest.param(None, 1.0, id="no file"),
    ],
)
def test_a_lab_says_its_patience(workdir: Workdir, text: str | None, found: float) -> None:
    if text is not None:
        workdir.machines_file.write_text(text)
    assert workdir.load_patience() == Patience(found)


def test_a_verb_takes_the_patience_of_its_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workdir: Workdir
) -> None:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda lab: workdir)
    workdir.save_topology(resolve(Spec(lab="demo")))
    workdir.save_machines({"patience": 6})
    lab = load_lab("demo")
    assert lab.folder == workdir
    assert lab.patience == Patience(6.0)


def test_commands_on_nodes_have_more_time(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def run(argv: object, *, timeout: float | None, **_: object) -> Result:
        given.append(timeout)
        return Result(("x",), 1, "", "")

    monkeypatch.setattr(openssh, "run", run)
    nodes = reach(Lab(workdir, resolve(Spec()), Patience(3.0)))
    for seconds in (20, None):
        nodes.run("jms", Command(("true",)), seconds=seconds, check=False)
    assert given == [60.0, None]


def test_a_connection_may_take_longer(workdir: Workdir) -> None:
    topology = resolve(Spec())
    assert "ConnectTimeout 5\n" in ssh.render_config(Lab(workdir, topology))
    assert "ConnectTimeout 20\n" in ssh.render_config(Lab(workdir, topology, Patience(4.0)))


def test_units_have_more_time_to_be_there() -> None:
    stage = ProvisionStage((), (), (), ())
    assert render_stage(stage, NO_PATIENCE).splitlines()[-1] == "deadline\t60"
    assert render_stage(stage, Patience(2.5)).splitlines()[-1] == "deadline\t150"


def test_participants_have_more_time_and_say_how_much() -> None:
    async def wait() -> None:
        recorder = Recorder("p1", Patience(2.0))
        await recorder.within(0.1, asyncio.sleep(5), "did not join")

    began = time.monotonic()
    with pytest.raises(CrowdError, match=r"within 0\.2 s"):
        asyncio.run(wait())
    assert time.monotonic() - began >= 0.2


def test_a_drills_bounds_are_longer_but_not_its_protocol_facts() -> None:
    expected = Expectation("comes back", Who.JICOFO, Mark.ALL_BACK, within=10.0, earliest=4.0)

    def verdict(at: float, patience: Patience) -> DrillVerdict:
        moment = Moment(0, at, Who.JICOFO, "jicofo", Mark.ALL_BACK)
        found = judge_one(0, expected, [moment], subjects=["jicofo"], patience=patience)
        return found.verdict

    each = [DrillVerdict.BETTER, DrillVerdict.EXPECTED, DrillVerdict.WORSE]
    assert [verdict(at, NO_PATIENCE) for at in (3, 9, 15)] == each
    assert [verdict(at, Patience(2.0)) for at in (3, 15, 21)] == each


def test_a_polite_wait_pauses_as_long_as_its_check_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that takes all processors leaves them half of the time to what it waits for."""
    now, pauses = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    def check() -> bool:
        nonlocal now
        now += 2.0
        return len(pauses) == 2

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    assert wait_until(check, deadline=Deadline.after(60), interval=0.25, polite=True)
    assert pauses == [2.0, 2.0]
    pauses.clear()
    assert wait_until(check, deadline=Deadline.after(60), interval=0.25)
    assert pauses == [0.25, 0.25]
