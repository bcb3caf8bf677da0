"""A crowd in several processes against a server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli import crowd as command
from labctl.core.flow import Flow
from labctl.core.plain import to_plain
from labctl.crowd import CrowdError
from labctl.crowd.figures import Figures, merge
from labctl.crowd.many import run_many, split
from labctl.crowd.media.options import MediaOptions
from labctl.crowd.run import CrowdOutcome, CrowdPlan, CrowdStage, MediaPlan, Show, run_crowd
from labctl.crowd.share import Order, Said
from labctl.crowd.shares import Place
from labctl.crowd.target import LOOPBACK
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.crowd.fakexmpp import FakeXmpp, running
from tests.crowd.test_run import properties

pytestmark = [pytest.mark.sockets, pytest.mark.programs]


PROGRAM = (sys.executable, "-m", "tests.crowd.loopbackshare")
HERE = Place(PROGRAM)


def run(
    folder: Path,
    server: FakeXmpp,
    plan: CrowdPlan,
    *,
    places: Sequence[Place] = (HERE, HERE),
    show: Show | None = None,
) -> CrowdOutcome:
    async def main() -> CrowdOutcome:
        async with asyncio.timeout(60), running(server, folder) as target:
            return await run_many(
                target,
                "r1",
                plan,
                places=places,
                show=show or (lambda *_: None),
            )

    with asyncio.Runner() as runner:
        return runner.run(main())


def nobody_stayed(server: FakeXmpp) -> bool:
    return set(map(len, server.rooms.values())) <= {0}


def test_everybody_is_in_one_table(tmp_path: Path) -> None:
    server, seen = FakeXmpp(vnode="v2"), list[tuple[CrowdStage, Figures]]()
    plan = CrowdPlan(2, 7, hold=0.6, rate=50)
    outcome = run(tmp_path, server, plan, places=[HERE] * 3, show=lambda *told: seen.append(told))
    figures = outcome.figures
    assert figures.well and not outcome.interrupted
    assert (figures.asked, figures.joined, figures.redirected) == (9, 9, {"v2": 9})
    assert figures.phases["all"].count == len(outcome.histories) == 9
    assert nobody_stayed(server)
    requests = [stanza for stanza in server.stanzas if stanza.tag.endswith("iq")]
    visitors = ["visitor" in properties(stanza) for stanza in requests if is_request(stanza)]
    assert visitors == [False] * 2 + [True] * 7, "participants come first"
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages[0] is CrowdStage.JOINING and stages[-1] is CrowdStage.LEAVING
    assert max(figures.joined for _, figures in seen) == 9, "what is shown has all of them"
    assert {figures.asked for _, figures in seen} == {9}


def test_visitors_leave_before_those_whose_conference_it_is(tmp_path: Path) -> None:
    """Jicofo ends a conference with its participants, and visitors would count as removed."""
    server = FakeXmpp()
    assert run(tmp_path, server, CrowdPlan(2, 4, hold=0.2, rate=50)).figures.well
    presences = [stanza for stanza in server.stanzas if stanza.tag.endswith("presence")]
    came = list(dict.fromkeys(each.get("to") for each in presences))
    went = [each.get("to") for each in presences if each.get("type") == "unavailable"]
    assert len(came) == len(went) == 6 and set(went[-2:]) == set(came[:2])


def is_request(stanza: object) -> bool:
    return stanza.find("{http://jitsi.org/protocol/focus}conference") is not None  # type: ignore[attr-defined]


def test_a_crowd_of_visitors_alone(tmp_path: Path) -> None:
    server = FakeXmpp()
    outcome = run(tmp_path, server, CrowdPlan(0, 4, hold=0, rate=50))
    assert outcome.figures.well and outcome.figures.joined == 4
    assert nobody_stayed(server)


@pytest.mark.parametrize("when", [CrowdStage.JOINING, CrowdStage.HOLDING])
def test_ctrl_c_lets_all_of_them_leave(tmp_path: Path, when: CrowdStage) -> None:
    server, pressed = FakeXmpp(), []

    def interrupt(stage: CrowdStage, figures: Figures) -> None:
        if stage is when and figures.joined >= 4 and not pressed:
            pressed.append(figures)
            os.kill(os.getpid(), signal.SIGINT)

    rate = 4 if when is CrowdStage.JOINING else 50
    visitors = 200 if when is CrowdStage.JOINING else 6
    plan = CrowdPlan(2, visitors, hold=60, rate=rate)
    outcome = run(tmp_path, server, plan, show=interrupt)
    assert outcome.interrupted
    assert 4 <= outcome.figures.joined <= 2 + visitors
    assert outcome.figures.asked == 2 + visitors
    assert nobody_stayed(server)


def test_the_hold_ends_when_nobody_is_left(tmp_path: Path) -> None:
    server, cut = FakeXmpp(), []

    def drop(stage: CrowdStage, figures: Figures) -> None:
        if stage is CrowdStage.HOLDING and not cut:
            cut.append(True)
            for people in server.rooms.values():
                for socket in people.values():
                    socket.transport.abort()

    outcome = run(tmp_path, server, CrowdPlan(1, 4, hold=60, rate=50), show=drop)
    assert sum(outcome.figures.lost.values()) == 5


@pytest.mark.parametrize("plan", [CrowdPlan(3, 4, 60, 20), CrowdPlan(0, 4, 60, 20)])
def test_a_server_that_lets_nobody_in_is_named(tmp_path: Path, plan: CrowdPlan) -> None:
    with pytest.raises(CrowdError, match=r"Nobody came into room 'r1': .*not-allowed"):
        run(tmp_path, FakeXmpp(script={"conference": "error:not-allowed"}), plan)


def test_a_process_that_is_killed_is_told_and_the_others_leave(tmp_path: Path) -> None:
    server, killed = FakeXmpp(), []

    def kill(stage: CrowdStage, _: Figures) -> None:
        if stage is CrowdStage.HOLDING and not killed:
            killed.append(children()[0])
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(CrowdError, match="A process of the crowd, with 2 visitors, ended with"):
        run(tmp_path, server, CrowdPlan(1, 4, hold=60, rate=50), show=kill)
    assert children() == []


def test_a_process_that_says_something_else_is_told(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "print('no JSON'); raise SystemExit('no module')"]
    with pytest.raises(CrowdError, match="with 2 visitors, ended with status 1: no module"):
        run(tmp_path, FakeXmpp(), CrowdPlan(1, 4, hold=60, rate=50), places=[Place(program)] * 2)


def children() -> list[int]:
    task = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(word) for word in task.read_text().split() if is_share(int(word))]


def is_share(pid: int) -> bool:
    return b"loopbackshare" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_process_whose_parent_has_gone_lets_its_visitors_leave(tmp_path: Path) -> None:
    server = FakeXmpp()

    async def main() -> None:
        async with running(server, tmp_path) as target:
            share = Flow(PROGRAM)
            order = json.dumps(to_plain(Order.of(target, "r1", visitors=2, rate=50)))
            share.write(f"{order}\nbegin\n".encode(), seconds=5)
            lines = share.lines()
            while (await asyncio.to_thread(next, lines)).find(b'"holding"') < 0:
                pass
            share.finish()
            *_, last = await asyncio.to_thread(list, lines)
            assert len(Said.of_line(last).people or ()) == 2
            assert (await asyncio.to_thread(share.end))[0] == 0
            assert nobody_stayed(server)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_process_that_cannot_do_it_says_so() -> None:
    share = Flow(Place().program)
    order = Order(
        "r1", 2, 50, IPv4Address("127.0.0.1"), 1, "x", LOOPBACK, "no certificate", away=True
    )
    share.write(f"{json.dumps(to_plain(order))}\nbegin\n".encode(), seconds=5)
    *_, line = share.lines()
    assert "The lab's CA" in (Said.of_line(line).failure or "")
    assert share.end() == (0, "")


def test_only_visitors_without_media_are_shared_out() -> None:
    options = MediaOptions()
    plan = CrowdPlan(5, 12, hold=1, rate=9, media=MediaPlan(1, 2, options))
    own, shares = split(plan, 4)
    assert (own.participants, own.visitors, own.media) == (5, 2, plan.media)
    assert shares == [3, 3, 2, 2]
    assert split(CrowdPlan(1, 2, 1, 1), 3)[1] == [1, 1], "no process without visitors"


def test_counts_are_added_and_spreads_are_not() -> None:
    parts = [
        Figures(asked=3, joined=2, redirected={"v1": 2}, lost={"cut": 1}),
        Figures(asked=4, joined=4, redirected={"v1": 1, "v2": 3}),
    ]
    found = merge(parts)
    assert (found.asked, found.joined, found.lost) == (7, 6, {"cut": 1})
    assert found.redirected == {"v1": 3, "v2": 3} and not found.phases


def test_more_processes_than_visitors_are_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(Workdir.of("demo", root=tmp_path), resolve(Spec(lab="demo", visitors=2)))
    monkeypatch.setattr(command, "load_lab", lambda _: lab)
    words = ["--visitors", "3", "--processes", "4"]
    result = CliRunner().invoke(command.crowd_command, words, standalone_mode=False)
    assert "'--processes 4' is more than the 3 visitors" in str(result.exception)


def test_looking_costs_a_tenth_of_a_core_at_most(tmp_path: Path) -> None:
    """With thousands of people each look takes long, so there are fewer of them."""
    looks: list[float] = []

    def slow(*_: object) -> None:
        looks.append(time.monotonic())
        time.sleep(0.2)

    server = FakeXmpp()

    async def main() -> CrowdOutcome:
        async with running(server, tmp_path) as target:
            return await run_crowd(target, "r1", CrowdPlan(1, 0, 4.5, 50), show=slow)

    assert asyncio.run(main()).figures.well
    gaps = [after - before for before, after in pairwise(looks)]
    assert max(gaps) >= 2.0
