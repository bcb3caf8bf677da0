"""From a node's answer to values."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from labctl.live.answer import BridgeFigures, NodeAnswer, parse_answer, parse_metrics
from labctl.live.model import Traffic
from labctl.node.sections import Sections
from labctl.ready.probe import NodeState

UNITS = """\
MainPID=1419
NRestarts=2
Id=prosody-v@1.service
ActiveState=active
SubState=running
UnitFileState=enabled
ActiveEnterTimestamp=Sun 2026-11-29 09:02:00 UTC

MainPID=0
NRestarts=0
Id=jicofo.service
ActiveState=failed
SubState=failed
UnitFileState=enabled
ActiveEnterTimestamp=
"""
CLOCK = "clock 1795943110.5 +0000 asked 1795943110.4"
ESTABLISHED = """\
0 0 192.168.56.201:40000 192.168.56.105:5269 users:(("lua5.4",pid=1419,fd=20))
0 0 192.168.56.201:40002 192.168.56.105:5269 users:(("lua5.4",pid=1420,fd=20))
0 0 192.168.56.201:40004 192.168.56.105:5269 users:(("lua5.4",pid=1419,fd=22))
"""
METRICS = {
    "stress": 0.25,
    "conferences": 2,
    "local_endpoints": 7,
    "current_visitors": 3,
    "healthy": True,
    "drain_mode": 0,
    "graceful_shutdown": False,
    "shutting_down": 0,
    "incoming_packet_rate": 100,
    "outgoing_packet_rate": 300,
    "incoming_bitrate": 1_000_000,
    "outgoing_bitrate": 3_000_000,
}


def read(before: NodeAnswer | None = None, **sections: str) -> NodeAnswer:
    texts = {
        CLOCK: "",
        "units": UNITS,
        **{name.replace("_", " "): it for name, it in sections.items()},
    }
    return parse_answer(Sections(texts), node="visitors1", before=before)


def test_units_are_read_as_readiness_reads_them() -> None:
    state = read().state
    vnode = state.units["prosody-v@1.service"]
    assert (vnode.active, vnode.sub, vnode.restarts) == ("active", "running", 2)
    assert vnode.since == datetime(2026, 11, 29, 9, 2)
    assert state.units["jicofo.service"].active == "failed"
    assert state.units["jicofo.service"].since is None
    assert state.clock == 1795943110.5


def test_connections_are_counted_by_port_and_process() -> None:
    found = read(clients="52801 17\n52691 1\nnonsense\n", links=ESTABLISHED)
    assert found.clients == {52801: 17, 52691: 1}
    assert found.links == {1419: 2, 1420: 1}
    assert found.processes == {"prosody-v@1.service": 1419}


def test_a_bridge_says_what_passes_now() -> None:
    assert parse_metrics(json.dumps(METRICS)) == BridgeFigures(
        0.25, 2, 7, 3, True, traffic=Traffic(100.0, 300.0, 1_000_000.0, 3_000_000.0)
    )


@pytest.mark.parametrize("name", ["drain_mode", "graceful_shutdown", "shutting_down"])
@pytest.mark.parametrize("value", [1, 1.0, True])
def test_flags_are_numbers_or_truth(name: str, value: object) -> None:
    found = parse_metrics(json.dumps({name: value}))
    assert found is not None
    assert (found.draining, found.shutting_down) == (name == "drain_mode", name != "drain_mode")
    assert found.traffic is None and found.stress is None


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null"])
def test_a_bridge_that_does_not_answer_has_no_figures(text: str) -> None:
    assert parse_metrics(text) is None


def test_what_is_asked_seldom_is_kept() -> None:
    kept = NodeState(connections=frozenset({"v1"}), stand_ins=("jicofo",), failed_modules=("x",))
    found = read(NodeAnswer(state=kept)).state
    assert (found.connections, found.stand_ins) == (kept.connections, kept.stand_ins)
    assert found.failed_modules == kept.failed_modules
    asked = read(NodeAnswer(state=kept), slow="", connections="v2\n").state
    assert asked.connections == {"v2"} and not asked.stand_ins and not asked.failed_modules


def test_lines_have_the_asking_machines_time_and_logs_an_end() -> None:
    log = {
        "log /var/log/prosody-v1/prosody.log 4321": "Nov 29 09:01:00 s2sin1\twarn\tNo good\n",
        "log /var/log/jitsi/jicofo.log 99": (
            "Jicofo 2026-11-29 09:00:00.500 WARNING: [1] A: Lost a bridge: jvb1\n"
            "Jicofo 2026-11-29 09:00:01.500 WARNING: [1] A: Discovered components: [x]\n"
            "   a trace\n"
        ),
    }
    found = read(**log)
    assert [(it.source, it.level, it.text) for it in found.lines] == [
        ("jicofo", "warning", "[1] A: Lost a bridge: jvb1"),
        ("prosody-v1", "warning", "s2sin1: No good"),
    ]
    assert found.offsets == {
        "/var/log/prosody-v1/prosody.log": 4321,
        "/var/log/jitsi/jicofo.log": 99,
    }


def test_a_long_line_is_cut() -> None:
    line = f"Jicofo 2026-11-29 09:00:00.500 SEVERE: {'x' * 5000}\n"
    [found] = read(**{"log /var/log/jitsi/jicofo.log 9": line}).lines
    assert len(found.text) < 500 and found.text.endswith("…")
