"""A bridge's own account of when it joined, over nodes that pretend."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.drills import joins
from labctl.drills.faults import BRIDGE_UNIT, Spot
from labctl.drills.jicofo import CLOCK
from labctl.drills.joins import JoinWatcher, parse_joins
from labctl.drills.model import Mark
from labctl.topology.lab import Lab
from tests.fakes.nodes import FakeNodes

SPOT = Spot("jvb1", BRIDGE_UNIT, "jvb1")


def line(at: datetime) -> str:
    stamp = at.strftime(CLOCK)[:-3]
    return f"JVB {stamp} INFO: [30] [id=shard] MucClient$MucWrapper.join#826: Joined MUC: b@x"


def test_joins_are_read_from_the_bridges_own_lines() -> None:
    at = datetime(2026, 11, 28, 22, 2, 10, 621000)
    assert parse_joins([line(at), "something else"]) == [at]


def test_only_what_joined_since_the_beginning_is_seen(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joins, "INTERVAL", 0.02)
    before = datetime.now() - timedelta(seconds=30)
    after: list[datetime] = []

    def answer(ran: object) -> dict[str, str]:
        lines = [line(before), *map(line, after)]
        return {"clock": datetime.now().strftime(CLOCK) + "\n", "joins": "\n".join(lines)}

    nodes.says("jvb1", answer, to="Joined MUC")
    with JoinWatcher(lab, [SPOT]) as watcher:
        assert watcher.seen == []
        after.append(datetime.now() + timedelta(seconds=0.2))
        assert wait_until(lambda: bool(watcher.seen), deadline=Deadline.after(5), interval=0.02)
    [seen] = watcher.seen
    assert (seen.subject, seen.mark) == ("jvb1", Mark.JOINED)


def test_without_a_race_no_node_is_asked(lab: Lab, nodes: FakeNodes) -> None:
    with JoinWatcher(lab, []) as watcher:
        assert watcher.seen == []
    assert nodes.ran == []
