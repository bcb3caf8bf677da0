"""Readiness: what nodes say becomes signals that name what is missing."""

from dataclasses import replace
from datetime import datetime

import pytest

from labctl.node.jicofo import Stats
from labctl.ready.probe import NodeState, expected_units, parse_probe
from labctl.ready.signals import Validity, judge_signals
from labctl.ready.units import UnitState
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec, VisitorsLayout
from tests.fakes.nodes import sections_of

TOPOLOGY = resolve(Spec(jvbs=1, visitors=2))
RUNNING = UnitState("active", "running", 0, "enabled", datetime(2026, 11, 21, 13, 0, 0))


def good_states() -> dict[str, NodeState]:
    ports = {22, 80, 443, 5222, 5269, 5280, 8888, 52221, 52222, 52691, 52692, 52801, 52802}
    stats = Stats(bridges=2, operational=2)
    return {
        node.name: NodeState(
            units=dict.fromkeys(expected_units(node), RUNNING),
            ports=frozenset(ports),
            stats=stats if node.name == "jms" else None,
            connections=frozenset({"v1", "v2"}),
        )
        for node in TOPOLOGY.nodes
    }


def missing(states: dict[str, NodeState]) -> dict[str, str]:
    return {signal.name: signal.seen for signal in judge_signals(TOPOLOGY, states) if not signal.ok}


def test_a_good_lab_misses_nothing() -> None:
    assert missing(good_states()) == {}


@pytest.mark.parametrize(
    ("node", "change", "expected"),
    [
        ("jvb1", {"error": "no answer"}, {"jvb1 answers": "no answer"}),
        (
            "jms",
            {"stats": Stats(bridges=2, operational=1)},
            {"bridges": "1 of 2 operational, 2 in the brewery"},
        ),
        ("jms", {"stats": None}, {"bridges": "Jicofo does not answer on its port 8888"}),
        (
            "jms",
            {"seat_lost": True},
            {
                "Jicofo seat": "Prosody has lost it from the brewery, and only a restart of Jicofo"
                " ends that"
            },
        ),
        ("jms", {"connections": frozenset({"v1"})}, {"vnodes": "not registered: v2"}),
        (
            "visitors1",
            {"failed_modules": ("Error initializing module 'fmuc'",)},
            {"visitors1 Prosody modules": "Error initializing module 'fmuc'"},
        ),
        (
            "visitors1",
            {"ports": frozenset({22, 52221, 52222, 52691, 52692, 52801})},
            {"visitors1 ports": "nothing listens on [52802]"},
        ),
        (
            "jvb1",
            {"units": {"nftables.service": RUNNING}},
            {"jvb1 units": "jitsi-videobridge2.service is unknown"},
        ),
    ],
    ids=["silent", "not-operational", "no-jicofo", "no-seat", "vnode", "module", "port", "unit"],
)
def test_what_is_missing_is_named(
    node: str, change: dict[str, object], expected: dict[str, str]
) -> None:
    states = good_states()
    states[node] = replace(states[node], **change)  # type: ignore[arg-type]
    assert missing(states) == expected


def test_a_lost_seat_does_not_hide_what_is_known_of_bridges() -> None:
    states = good_states()
    states["jms"] = replace(states["jms"], seat_lost=True)
    found = {signal.name: signal.seen for signal in judge_signals(TOPOLOGY, states)}
    assert found["bridges"] == "2 of 2 operational, 2 in the brewery"


def test_the_jms_runs_the_vnodes_that_it_holds() -> None:
    topology = resolve(Spec(jvbs=0, visitors=2, visitors_layout=VisitorsLayout.LOCAL))
    assert expected_units(topology.jms)[-2:] == ("prosody-v@1.service", "prosody-v@2.service")


def test_a_failed_module_of_an_earlier_start_is_not_held_against_prosody() -> None:
    since = "ActiveEnterTimestamp=Sat 2026-11-21 13:00:00 UTC"
    old = "Nov 21 12:59:59 modulemanager\terror\tError initializing module 'a' on 'b'"
    new = "Nov 21 13:00:01 modulemanager\terror\tError initializing module 'c' on 'd'"
    state = parse_probe(
        sections_of(
            {
                "units": ["Id=prosody.service", "ActiveState=active", since],
                "errors prosody.service": [old, new],
                "ports": ["0.0.0.0:5222", "[::]:443", "127.0.0.1:8888"],
                "stats": ['{"bridge_selector": {}}'],
                "connections": ["v1", "client", ""],
            }
        )
    )
    assert state.failed_modules == (new,)
    assert state.ports == frozenset({5222, 443, 8888})
    assert state.connections == frozenset({"v1", "client"})
    assert state.stats == Stats()
    assert state.bridges == {}


NOON = 1_795_000_000.0
VALID = Validity(begins=NOON - 3600, ends=NOON + 3600)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"clock": NOON}, {}),
        (
            {"clock": NOON - 86400},
            {
                "jvb1 clock": "it says 2026-11-17 11:06 UTC; by that clock the lab's certificates "
                "are not valid yet, until 2026-11-18 10:06 UTC"
            },
        ),
        (
            {"clock": NOON + 86400},
            {
                "jvb1 clock": "it says 2026-11-19 11:06 UTC; by that clock the lab's certificates "
                "are no longer valid, since 2026-11-18 12:06 UTC"
            },
        ),
        (
            {"starved": True},
            {
                "jvb1 entropy": "its kernel has no entropy yet, so nothing there can make a key "
                "for TLS or DTLS; a virtual machine gets it from a virtio-rng device"
            },
        ),
    ],
    ids=["right", "behind", "ahead", "no entropy"],
)
def test_what_no_program_can_do_without(
    change: dict[str, object], expected: dict[str, str]
) -> None:
    states = good_states()
    states["jvb1"] = replace(states["jvb1"], **change)  # type: ignore[arg-type]
    found = judge_signals(TOPOLOGY, states, validity=VALID)
    assert {signal.name: signal.seen for signal in found if not signal.ok} == expected


def test_clock_and_randomness_are_read() -> None:
    state = parse_probe(sections_of({"clock": ["1795000000"], "randomness": []}))
    assert (state.clock, state.starved) == (NOON, False)
    assert parse_probe(sections_of({"randomness": ["none"]})).starved
