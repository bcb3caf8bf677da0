"""Jicofo's answers, as the originals and the stand-ins give them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.node import jicofo
from labctl.node.jicofo import (
    LOG,
    Bridge,
    BridgeSession,
    Stats,
    conference_path,
    parse_bridges,
    parse_conference,
    parse_connections,
    parse_metrics,
    parse_stats,
    render_get,
    render_get_metrics,
)
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import FakeNodes

BREWERY = "jvbbrewery@internal.auth.meet.lab.internal"
NO_ANSWERS = pytest.mark.parametrize(
    "text",
    ["", "\n", "<html>", "[]", "null", '"text"'],
    ids=["empty", "line", "html", "list", "null", "text"],
)


def test_figures_of_stats() -> None:
    text = json.dumps(
        {
            "bridge_selector": {
                "bridge_count": 3,
                "operational_bridge_count": 2,
                "lost_bridges": 1,
            },
            "bridge_failures": {"participants_moved": 7},
            "conferences": 2,
            "participants": 12,
            "visitors": 5,
        }
    )
    assert parse_stats(text) == Stats(
        3, 2, lost_bridges=1, participants_moved=7, conferences=2, participants=12, visitors=5
    )


@NO_ANSWERS
def test_no_answer_has_no_stats(text: str) -> None:
    assert parse_stats(text) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"bridge_selector": None},
        {"bridge_selector": {"bridge_count": "3", "operational_bridge_count": True}},
    ],
    ids=["nothing", "null", "other types"],
)
def test_what_an_answer_does_not_say_is_none(data: object) -> None:
    assert parse_stats(json.dumps(data)) == Stats()


def test_bridges_of_debug_by_nick() -> None:
    text = json.dumps(
        {
            "bridge_selector": {
                "strategy": "SingleBridgeSelectionStrategy",
                "bridge": {
                    f"{BREWERY}/jvb": {
                        "operational": True,
                        "drain": False,
                        "graceful-shutdown": False,
                        "shutting-down": False,
                        "overloaded": True,
                        "stress": 1,
                        "corrected-stress": 1.02,
                        "version": "2.3-312-ga29d97d13",
                        "relay-id": "jvb",
                        "region": "lab",
                    },
                    f"{BREWERY}/jvb1": {"operational": False, "relay-id": None, "drain": "no"},
                },
            }
        }
    )
    assert parse_bridges(text) == {
        "jvb": Bridge(
            jid=f"{BREWERY}/jvb",
            operational=True,
            drain=False,
            graceful_shutdown=False,
            shutting_down=False,
            overloaded=True,
            stress=1.0,
            version="2.3-312-ga29d97d13",
            relay_id="jvb",
            region="lab",
        ),
        "jvb1": Bridge(jid=f"{BREWERY}/jvb1"),
    }


@NO_ANSWERS
def test_no_answer_has_no_bridges(text: str) -> None:
    assert parse_bridges(text) == {}


def test_a_conference_is_on_bridges_that_relay() -> None:
    sessions = {
        "jvb": {"bridge": "Bridge[...]", "id": "5", "participants": ["a"], "relays": ["jvb1"]},
        "jvb1": {"id": "6"},
    }
    text = json.dumps({"colibri_session_manager": {"sessions": sessions}})
    assert parse_conference(text) == {
        "jvb": BridgeSession("5", frozenset({"jvb1"})),
        "jvb1": BridgeSession("6"),
    }


@pytest.mark.parametrize("text", ["{}", "", '{"colibri_session_manager": {}}'])
def test_a_room_that_jicofo_does_not_have_is_on_no_bridge(text: str) -> None:
    assert parse_conference(text) == {}


@pytest.mark.parametrize("name", ["participants_moved", "participants_moved_total"])
def test_counters_have_their_ending_or_not(name: str) -> None:
    metrics = parse_metrics(json.dumps({name: 4, "conferences": 2, "version": "1.0"}))
    assert metrics.value("participants_moved") == 4.0
    assert metrics.value("conferences") == 2.0
    assert metrics.value("version") is None
    assert metrics.value("bridges_removed") is None


def test_prometheus_text_is_no_json() -> None:
    assert parse_metrics("jitsi_jicofo_conferences 2.0\n").values == {}


def test_commands_have_more_time_on_slow_machines() -> None:
    assert render_get("/stats", patience=NO_PATIENCE, seconds=3) == (
        "curl -sf --max-time 3 http://127.0.0.1:8888/stats"
    )
    assert "--max-time 10 " in render_get("/stats", patience=Patience(2.0))
    assert "-H 'Accept: application/json' " in render_get_metrics(NO_PATIENCE)


def test_a_rooms_name_cannot_become_a_command() -> None:
    path = conference_path("a'; reboot; '@conference.meet.lab.internal")
    assert path == "/debug/conference/a%27%3B%20reboot%3B%20%27@conference.meet.lab.internal"


@pytest.mark.programs
def test_connections_are_those_of_the_present_run(tmp_path: Path) -> None:
    """The command itself, on a log with an earlier run; an original's lines."""
    head = "Jicofo 2026-11-21 11:31:05.231 INFO: [25]"
    registered = "XmppProvider.setRegistered#141: Registered (resumed=false). isSmEnabled:true"
    log = tmp_path / "jicofo.log"
    log.write_text(
        f"{head} [xmpp_connection=v9] {registered}\n"
        f"{head} Main.main#49: Starting Jicofo.\n"
        f"{head} [xmpp_connection=client] {registered}\n"
        f"{head} [xmpp_connection=v1 x=y] {registered}\n"
        f"{head} [xmpp_connection=v2] XmppProvider.connect#1: Connecting\n"
        f"{head} [xmpp_connection=client] {registered}\n"
    )
    command = jicofo.CONNECTIONS.replace(LOG, str(log)).replace("sudo ", "", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert parse_connections(done.stdout.splitlines()) == frozenset({"client", "v1"})


def test_the_jms_is_asked(tmp_path: Path, nodes: FakeNodes) -> None:
    lab = Lab(Workdir(tmp_path), resolve(Spec()), Patience(2.0))
    command = "curl -sf --max-time 10 http://127.0.0.1:8888/stats"
    nodes.says("jms", '{"bridge_selector": {"operational_bridge_count": 2}}', to=command)
    assert jicofo.read_stats(lab) == Stats(operational=2)
    assert [(ran.node, ran.text) for ran in nodes.ran] == [("jms", command)]
    nodes.says("jms", to=command, code=7)
    assert jicofo.read_stats(lab) is None


def test_rooms_of_debug() -> None:
    text = json.dumps({"focus_manager": {"a@x": 3, "b@x": {"full": True}}})
    assert jicofo.parse_rooms(text) == {"a@x": 3}
    assert jicofo.parse_rooms("") == {}


VISITOR = "demo@conference.v2.meet.jitsi/b@b/"
PEOPLE = {
    "participants": {
        "aa": {"jingle_session": {"remoteJid": "demo@conference.meet.lab.internal/aa"}},
        "bb": {"jingle_session": {"sid": "s", "remoteJid": VISITOR, "state": "ACTIVE"}},
        "cc": {"jingle_session": None},
    },
    "colibri_session_manager": {
        "participants": {"aa": {"bridge": "jvb1", "visitor": False}, "bb": {"visitor": True}},
        "sessions": {"jvb1": {"participants": ["aa"]}, "jvb2": {"participants": ["bb", 7]}},
    },
    "participant_count": 1,
    "visitor_count": 1,
}


def test_people_of_a_conference() -> None:
    """Who is a visitor and on which bridge and vnode (docs/facts/jicofo.md, 8)."""
    assert jicofo.parse_people(json.dumps(PEOPLE)) == jicofo.Conference(
        1, 1, {"aa": "jvb1", "bb": "jvb2"}, frozenset({"bb"}), {"bb": "v2"}
    )


@pytest.mark.parametrize(
    "address", ["", "meet.jitsi", "a@conference.v1.meet.jitsi.evil.org/x", "a@x/b@v1.meet.jitsi", 7]
)
def test_an_address_that_is_of_no_vnode(address: object) -> None:
    data = {"participants": {"aa": {"jingle_session": {"remoteJid": address}}}}
    assert jicofo.parse_people(json.dumps(data)).vnodes == {}


@NO_ANSWERS
def test_no_answer_has_no_people(text: str) -> None:
    assert jicofo.parse_people(text) == jicofo.Conference()
