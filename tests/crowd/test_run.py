"""A whole crowd against a server on loopback, and how the command tells of it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli import crowd as module
from labctl.cli.crowd import crowd_command
from labctl.cli.crowdchecks import check_size
from labctl.cli.crowdtable import Counters, Lines, print_figures
from labctl.core.errors import UsageError
from labctl.crowd import Crowd, CrowdError, Target
from labctl.crowd.crowd import AT_ONCE
from labctl.crowd.figures import Figures
from labctl.crowd.record import CrowdRecord
from labctl.crowd.run import CrowdOutcome, CrowdPlan, CrowdStage, run_crowd, want_files
from labctl.crowd.target import make_key_log
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.crowd.fakexmpp import GARBAGE, FakeXmpp, running

pytestmark = pytest.mark.sockets


def run(
    folder: Path,
    server: FakeXmpp,
    plan: CrowdPlan,
    *,
    meanwhile: Callable[[CrowdStage], None] = lambda stage: None,
) -> CrowdOutcome:
    """One crowd; it may not take longer than ten seconds."""

    async def main() -> CrowdOutcome:
        async with asyncio.timeout(10), running(server, folder) as target:
            return await run_crowd(target, "r1", plan, show=lambda stage, figures: meanwhile(stage))

    with asyncio.Runner() as runner:
        return runner.run(main())


def test_everybody_comes_stays_and_leaves(tmp_path: Path) -> None:
    server = FakeXmpp()
    stages: list[CrowdStage] = []
    outcome = run(tmp_path, server, CrowdPlan(2, 1, hold=0.3, rate=50), meanwhile=stages.append)
    assert outcome.figures.well and not outcome.interrupted
    assert outcome.figures.joined == 3
    without_media = [stage for stage in CrowdStage if stage is not CrowdStage.CONNECTING]
    assert list(dict.fromkeys(stages)) == without_media
    wanted = [stanza for stanza in server.stanzas if "visitor" in properties(stanza)]
    assert len(wanted) == 1
    assert set(map(len, server.rooms.values())) == {0}, "somebody stayed"


def properties(stanza: object) -> set[str]:
    focus = "{http://jitsi.org/protocol/focus}property"
    return {item.get("name", "") for item in stanza.iter(focus)}  # type: ignore[attr-defined]


def test_ctrl_c_lets_them_leave(tmp_path: Path) -> None:
    server = FakeXmpp()

    def interrupt(stage: CrowdStage) -> None:
        if stage is CrowdStage.HOLDING:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(tmp_path, server, CrowdPlan(3, 0, hold=60, rate=50), meanwhile=interrupt)
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
        run(tmp_path, FakeXmpp(script=script), CrowdPlan(5000, 0, hold=60, rate=5))


def test_the_hold_ends_when_nobody_is_left(tmp_path: Path) -> None:
    server = FakeXmpp()

    def cut(stage: CrowdStage) -> None:
        if stage is CrowdStage.HOLDING:
            for people in server.rooms.values():
                for socket in people.values():
                    socket.transport.abort()

    outcome = run(tmp_path, server, CrowdPlan(3, 0, hold=60, rate=50), meanwhile=cut)
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
        pytest.param(["--rate", "fast"], "is not a valid rate", id="rate in words"),
        pytest.param(["--rate", "-1/s"], "is not a valid rate", id="negative rate"),
        pytest.param(["--rate", "3/week"], "is not a valid rate", id="unknown unit"),
        pytest.param(["--rate", "nan/s"], "is not a valid rate", id="not a number"),
        pytest.param(["--room", "acme/"], "names no room", id="a tenant without a room"),
        pytest.param(["--room", "ü" * 200], "1200 bytes", id="room with too long a name"),
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
    with pytest.raises(UsageError, match="at least one participant"):
        check_size(topology, participants=0, visitors=0)
    check_size(topology, participants=1, visitors=0)


def figures(tmp_path: Path) -> Figures:
    return run(tmp_path, FakeXmpp(vnode="v2"), CrowdPlan(0, 2, hold=0, rate=50)).figures


def test_looks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(tmp_path)
    print_figures(found)
    out = capsys.readouterr().out
    assert "on v2" in out and "Everybody was in the call." in out and "p95" in out
    lines = Lines("r1")
    lines(CrowdStage.JOINING, found)
    lines(CrowdStage.JOINING, found)
    lines(CrowdStage.HOLDING, found)
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 3 and err[2].endswith("asked 2  begun 2  joined 2  on v2 2  invited 2")
    board = Counters("r1")
    board(CrowdStage.HOLDING, found)
    assert board.render().row_count == 9 + 1


def test_a_target_that_is_not_here_gets_no_packet(tmp_path: Path) -> None:
    from ipaddress import IPv4Address

    def refuse(address: IPv4Address) -> None:
        raise CrowdError(f"'{address}' is not here.")

    target = Target(IPv4Address("127.0.0.1"), 1, "x", tmp_path / "ca", refuse)
    with pytest.raises(CrowdError, match="is not here"):
        asyncio.run(run_crowd(target, "r", CrowdPlan(1, 0, 0, 1), show=lambda *_: None))


def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, vnodes: int) -> Path:
    """The folder of a lab in which every crowd is three people who are well."""
    folder = Workdir.of("demo", root=tmp_path)
    folder.path.mkdir(parents=True)
    lab = Lab(folder, resolve(Spec(lab="demo", visitors=vnodes)))
    monkeypatch.setattr(module, "load_lab", lambda _: lab)
    outcome = CrowdOutcome(Figures(asked=3, joined=3), interrupted=False)
    monkeypatch.setattr(module, "run", lambda *_, **__: outcome)
    return folder.path


def test_the_last_crowd_stays_in_the_labs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the lab later is told of it, whether JSON was asked for or not."""
    folder = pretend(tmp_path, monkeypatch, vnodes=0)
    CliRunner().invoke(crowd_command, ["--participants", "3", "--room", "demo"])
    record = CrowdRecord.from_json(json.loads((folder / "crowd.json").read_text()))
    assert (record.room, record.participants, record.figures.joined) == ("demo", 3, 3)


@pytest.mark.parametrize(
    ("visitors", "warned"),
    [pytest.param(200, False, id="few"), pytest.param(16_000, True, id="many")],
)
def test_a_node_that_is_too_small_is_named_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visitors: int, *, warned: bool
) -> None:
    pretend(tmp_path, monkeypatch, vnodes=8)
    result = CliRunner().invoke(crowd_command, ["--visitors", str(visitors)])
    said = " ".join(result.stderr.replace("!!", "").split())
    assert ("'visitors1' has 1.0 GiB of memory" in said) is warned
    assert ("'roles.visitors.memory' in lab.conf" in said) is warned
    assert "'jms'" not in said


def test_tls_secrets_are_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    keys = tmp_path / "keys" / "tls.log"

    async def main() -> CrowdOutcome:
        async with running(FakeXmpp(), tmp_path) as target:
            make_key_log(keys)
            target.keys = keys
            plan = CrowdPlan(2, 0, hold=0, rate=100)
            return await run_crowd(target, "demo", plan, show=lambda stage, figures: None)

    assert asyncio.run(main()).figures.well
    labels = {line.split()[0] for line in keys.read_text().splitlines() if line[0] != "#"}
    assert "CLIENT_TRAFFIC_SECRET_0" in labels
    assert keys.stat().st_mode & 0o777 == 0o600


def test_a_key_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CrowdError, match="cannot be written: "):
        make_key_log(tmp_path / "file" / "keys.log")
