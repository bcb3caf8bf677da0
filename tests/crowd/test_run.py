"""A whole crowd against a server on loopback, and how the command tells of it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli.crowd import check_size, crowd_command
from labctl.cli.crowdtable import Counters, Lines, print_figures
from labctl.crowd import Crowd, CrowdError, Target
from labctl.crowd.crowd import AT_ONCE
from labctl.crowd.figures import Figures
from labctl.crowd.run import Outcome, Plan, Stage, run_crowd, want_files
from labctl.errors import UsageError
from labctl.layout import resolve
from labctl.model import Spec
from tests.crowd.fakexmpp import GARBAGE, FakeXmpp, running

pytestmark = pytest.mark.sockets


def run(
    folder: Path,
    server: FakeXmpp,
    plan: Plan,
    *,
    meanwhile: Callable[[Stage], None] = lambda stage: None,
) -> Outcome:
    """One crowd; it may not take longer than ten seconds."""

    async def main() -> Outcome:
        async with asyncio.timeout(10), running(server, folder) as target:
            return await run_crowd(target, "r1", plan, show=lambda stage, figures: meanwhile(stage))

    with asyncio.Runner() as runner:
        return runner.run(main())


def test_everybody_comes_stays_and_leaves(tmp_path: Path) -> None:
    server = FakeXmpp()
    stages: list[Stage] = []
    outcome = run(tmp_path, server, Plan(2, 1, hold=0.3, rate=50), meanwhile=stages.append)
    assert outcome.figures.well and not outcome.interrupted
    assert outcome.figures.joined == 3
    assert list(dict.fromkeys(stages)) == list(Stage)
    wanted = [stanza for stanza in server.stanzas if "visitor" in properties(stanza)]
    assert len(wanted) == 1
    assert set(map(len, server.rooms.values())) == {0}, "somebody stayed"


def properties(stanza: object) -> set[str]:
    focus = "{http://jitsi.org/protocol/focus}property"
    return {item.get("name", "") for item in stanza.iter(focus)}  # type: ignore[attr-defined]


def test_ctrl_c_lets_them_leave(tmp_path: Path) -> None:
    server = FakeXmpp()

    def interrupt(stage: Stage) -> None:
        if stage is Stage.HOLDING:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(tmp_path, server, Plan(3, 0, hold=60, rate=50), meanwhile=interrupt)
    assert outcome.interrupted
    assert outcome.figures.well, "they are counted as they were when it came"
    assert set(map(len, server.rooms.values())) == {0}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param({"auth": "cut"}, "cut", id="the connection is cut"),
        pytest.param({"auth": f"send:{GARBAGE}"}, "not a stanza", id="garbage"),
        pytest.param({"presence": "half"}, "cut", id="cut in the middle of a stanza"),
        pytest.param({"conference": "error:not-allowed"}, "not-allowed", id="refused"),
    ],
)
def test_a_server_that_lets_nobody_in_is_named_at_once(
    tmp_path: Path, script: dict[str, str], words: str
) -> None:
    with pytest.raises(CrowdError, match=rf"Nobody came into room 'r1': .*{words}"):
        run(tmp_path, FakeXmpp(script=script), Plan(5000, 0, hold=60, rate=5))


def test_the_hold_ends_when_nobody_is_left(tmp_path: Path) -> None:
    server = FakeXmpp()

    def cut(stage: Stage) -> None:
        if stage is Stage.HOLDING:
            for people in server.rooms.values():
                for socket in people.values():
                    socket.transport.abort()

    outcome = run(tmp_path, server, Plan(3, 0, hold=60, rate=50), meanwhile=cut)
    assert sum(outcome.figures.lost.values()) == 3
    assert not outcome.figures.well


def test_no_more_than_some_are_on_their_way_in(tmp_path: Path) -> None:
    """A server that does not answer is not asked by all at once."""
    server = FakeXmpp(script={"conference": "silent"})

    async def main() -> None:
        async with running(server, tmp_path) as target, Crowd(target, "r1") as crowd:
            with pytest.raises(CrowdError, match="120 of 120 participants did not join"):
                await crowd.join(120, rate=1000, deadline=0.5)
            assert len(crowd.participants) == 120
            marks = [(one.began, 1) for one in crowd.participants]
            marks += [(one.events[-1].at, -1) for one in crowd.participants]
            steps = [step for _, step in sorted(marks)]
            assert max(accumulate(steps)) <= AT_ONCE

    asyncio.run(main())


def test_limit_of_open_files() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    want_files(1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
    with pytest.raises(CrowdError, match="open files"):
        want_files(10**9)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--rate", "fast"], "no rate", id="rate in words"),
        pytest.param(["--rate", "-1/s"], "no rate", id="negative rate"),
        pytest.param(["--rate", "3/week"], "no rate", id="unknown unit"),
        pytest.param(["--rate", "nan/s"], "no rate", id="not a number"),
        pytest.param(["--room", "a b"], "no room", id="room with a blank"),
        pytest.param(["--room", "a@b"], "no room", id="a whole address"),
        pytest.param(["--participants", "-1"], "not in the range", id="fewer than nobody"),
        pytest.param(["--hold", "-1"], "not in the range", id="a hold in the past"),
    ],
)
def test_bad_input_is_a_usage_error(words: list[str], told: str) -> None:
    result = CliRunner().invoke(crowd_command, words)
    assert result.exit_code == 2
    assert told in result.output


def test_visitors_need_vnodes() -> None:
    topology = resolve(Spec(visitors=0))
    with pytest.raises(UsageError, match="no vnodes"):
        check_size(topology, participants=1, visitors=1)
    with pytest.raises(UsageError, match="nobody"):
        check_size(topology, participants=0, visitors=0)
    check_size(topology, participants=1, visitors=0)


def figures(tmp_path: Path) -> Figures:
    return run(tmp_path, FakeXmpp(vnode="v2"), Plan(0, 2, hold=0, rate=50)).figures


def test_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(tmp_path)
    print_figures(found)
    out = capsys.readouterr().out
    assert "on v2" in out and "Everybody was in the call." in out and "p95" in out
    lines = Lines("r1")
    lines(Stage.JOINING, found)
    lines(Stage.JOINING, found)
    lines(Stage.HOLDING, found)
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 3 and err[2].endswith("asked 2  begun 2  joined 2  on v2 2  invited 2")
    board = Counters("r1")
    board(Stage.HOLDING, found)
    assert board.render().row_count == 9 + 1


def test_a_target_that_is_not_here_gets_no_packet(tmp_path: Path) -> None:
    from ipaddress import IPv4Address

    def refuse(address: IPv4Address) -> None:
        raise CrowdError(f"'{address}' is not here.")

    target = Target(IPv4Address("127.0.0.1"), 1, "x", tmp_path / "ca", refuse)
    with pytest.raises(CrowdError, match="is not here"):
        asyncio.run(run_crowd(target, "r", Plan(1, 0, 0, 1), show=lambda *_: None))
