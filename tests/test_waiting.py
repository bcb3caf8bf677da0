"""Deadlines, and the one factor by which they are longer for a lab of slow machines."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from labctl import provisioner, ssh
from labctl.cli.common import workdir_of
from labctl.crowd.errors import CrowdError
from labctl.crowd.recorder import Recorder
from labctl.drills.judge import judge_one
from labctl.drills.model import Expectation, Mark, Moment, Verdict, Who
from labctl.layout import resolve
from labctl.model import Spec
from labctl.process import ProcessError, Result
from labctl.progress import silent
from labctl.waiting import Deadline, patience, scaled, set_patience, whole
from labctl.workdir import Workdir
from provision import patience as provision_patience
from provision.operations import render_stage
from provision.plan import Stage


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    found = Workdir.of("demo", root=tmp_path)
    found.path.mkdir(parents=True)
    return found


def test_without_patience_nothing_is_longer() -> None:
    assert (patience(), scaled(7.5), whole(2)) == (1.0, 7.5, 2)
    assert 9.5 < Deadline.after(10).left <= 10


def test_patience_makes_deadlines_longer_and_never_shorter() -> None:
    set_patience(2.5)
    assert 24.5 < Deadline.after(10).left <= 25
    assert 9.8 < Deadline.after(10).left_unscaled <= 10
    assert (scaled(2), whole(1)) == (5.0, 3)
    set_patience(0.1)
    assert patience() == 1.0


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
    assert workdir.patience == found


def test_a_verb_takes_the_patience_of_its_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workdir: Workdir
) -> None:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda lab: workdir)
    workdir.save_machines({"patience": 6})
    assert workdir_of("demo") == workdir
    assert patience() == 6.0


def test_commands_on_nodes_and_the_provisioner_have_more_time(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[float | None, str]] = []

    def run(argv: object, *, timeout: float | None, env: dict[str, str] | None = None, **_: object):  # type: ignore[no-untyped-def]
        given.append((timeout, (env or {}).get("LABCTL_PATIENCE", "")))
        return Result(("x",), 1, "", "")

    monkeypatch.setattr(ssh, "run", run)
    monkeypatch.setattr(provisioner, "run", run)
    set_patience(3.0)
    ssh.run_on(workdir, "jms", "true", timeout=20, check=False)
    ssh.run_on(workdir, "jms", "true", timeout=None, check=False)
    with pytest.raises(ProcessError):
        provisioner.provision(
            workdir, resolve(Spec()), progress=silent, log=workdir.path / "log", deadline=100
        )
    assert given == [(60.0, ""), (None, ""), (300.0, "3.0")]


def test_a_connection_may_take_longer(workdir: Workdir) -> None:
    topology = resolve(Spec())
    assert "ConnectTimeout 5\n" in ssh.render_config(workdir, topology)
    set_patience(4.0)
    assert "ConnectTimeout 20\n" in ssh.render_config(workdir, topology)


def test_steps_of_the_provisioner_have_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert render_stage(Stage((), (), (), (), ())).splitlines()[-1] == "deadline\t60"
    monkeypatch.setenv("LABCTL_PATIENCE", "2.5")
    assert provision_patience.scaled(9) == 23
    assert render_stage(Stage((), (), (), (), ())).splitlines()[-1] == "deadline\t150"


def test_participants_have_more_time_and_say_how_much() -> None:
    set_patience(2.0)

    async def wait() -> None:
        recorder = Recorder("p1")
        await recorder.within(0.1, asyncio.sleep(5), "did not join")

    began = time.monotonic()
    with pytest.raises(CrowdError, match=r"within 0\.2 s"):
        asyncio.run(wait())
    assert time.monotonic() - began >= 0.2


def test_a_drills_bounds_are_longer_but_not_its_protocol_facts() -> None:
    expected = Expectation("comes back", Who.JICOFO, Mark.ALL_BACK, within=10.0, earliest=4.0)

    def verdict(at: float) -> Verdict:
        moment = Moment(0, at, Who.JICOFO, "jicofo", Mark.ALL_BACK)
        return judge_one(0, expected, [moment], subjects=["jicofo"]).verdict

    assert [verdict(at) for at in (3, 9, 15)] == [Verdict.BETTER, Verdict.EXPECTED, Verdict.WORSE]
    set_patience(2.0)
    assert [verdict(at) for at in (3, 15, 21)] == [Verdict.BETTER, Verdict.EXPECTED, Verdict.WORSE]
