"""Who opens which connection, derived from the roles and the firewall."""

from __future__ import annotations

from typing import Any

import pytest

from labctl.topology.connections import Connection, connections
from labctl.topology.layout import resolve
from labctl.topology.roles import all_units
from labctl.topology.spec import Spec, VisitorsLayout
from labctl.topology.units import OUTSIDE, TALKS, Talk


def words(found: Connection) -> str:
    source = f"{found.source.node.name} {found.source.unit.stem}" if found.source else "outside"
    return f"{source} -> {found.target.node.name} {found.target.unit.stem} {found.port}"


def said(talk: Talk, **wishes: Any) -> set[str]:
    return {words(each) for each in connections(resolve(Spec(**wishes))) if each.talk is talk}


SMALL = {"jvbs": 1, "visitors": 1}


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (
            Talk.HTTPS,
            {"outside -> jms nginx 80/tcp", "outside -> jms nginx 443/tcp"},
        ),
        (
            Talk.BREWERY,
            {
                "jms jitsi-videobridge2 -> jms prosody 5222/tcp",
                "jvb1 jitsi-videobridge2 -> jms prosody 5222/tcp",
            },
        ),
        (
            Talk.FOCUS,
            {
                "jms jicofo -> jms prosody 5222/tcp",
                "jms jicofo -> visitors1 prosody-v@1 52221/tcp",
            },
        ),
        (
            Talk.S2S,
            {
                "jms prosody -> visitors1 prosody-v@1 52691/tcp",
                "visitors1 prosody-v@1 -> jms prosody 5269/tcp",
            },
        ),
        (
            Talk.HTTP,
            {
                "jms nginx -> jms prosody 5280/tcp",
                "jms nginx -> jms jicofo 8888/tcp",
                "jms nginx -> visitors1 prosody-v@1 52801/tcp",
            },
        ),
        (
            Talk.MEDIA,
            {
                "outside -> jms jitsi-videobridge2 10000/udp",
                "outside -> jvb1 jitsi-videobridge2 10000/udp",
            },
        ),
        (Talk.RELAY, set()),
        (Talk.CHANNEL, set()),
        (Talk.TURN, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, Talk) else f"{len(value)} connections",
)
def test_a_small_lab(talk: Talk, expected: set[str]) -> None:
    assert said(talk, **SMALL) == expected


def test_relays_connect_every_bridge_to_every_other_and_nginx_to_all() -> None:
    relays = said(Talk.RELAY, **SMALL, relays=True)
    assert relays == {
        "jms jitsi-videobridge2 -> jvb1 jitsi-videobridge2 10000/udp",
        "jvb1 jitsi-videobridge2 -> jms jitsi-videobridge2 10000/udp",
    }
    assert said(Talk.CHANNEL, **SMALL, relays=True) == {
        "jms nginx -> jms jitsi-videobridge2 9090/tcp",
        "jms nginx -> jvb1 jitsi-videobridge2 9090/tcp",
    }


def test_coturn_is_reached_by_participants_and_reaches_every_bridge() -> None:
    assert said(Talk.TURN, **SMALL, turn=True) == {
        "outside -> jms coturn 3478/udp",
        "outside -> jms coturn 5349/tcp",
    }
    assert {
        "jms coturn -> jms jitsi-videobridge2 10000/udp",
        "jms coturn -> jvb1 jitsi-videobridge2 10000/udp",
    } < said(Talk.MEDIA, **SMALL, turn=True)


def test_vnodes_on_the_jms_talk_on_the_jms() -> None:
    found = said(Talk.S2S, jvbs=0, visitors=1, visitors_layout=VisitorsLayout.LOCAL)
    assert found == {
        "jms prosody -> jms prosody-v@1 52691/tcp",
        "jms prosody-v@1 -> jms prosody 5269/tcp",
    }


def test_whoever_connects_is_a_unit_of_the_table_and_every_word_is_used_and_explained() -> None:
    uses = [use for unit in all_units() for port in unit.ports for use in port.uses]
    assert {use.by for use in uses} <= {unit.template for unit in all_units()} | {OUTSIDE}
    assert {use.talk for use in uses} == set(Talk) == set(TALKS)


def test_a_connection_touches_both_of_its_nodes_and_no_other() -> None:
    topology = resolve(Spec(jvbs=2, visitors=0))
    by_words = {words(each): each for each in connections(topology)}
    inner = next(
        each for each in by_words.values() if each.source and each.source.node.name == "jvb1"
    )
    assert {node.name for node in topology.nodes if inner.touches(node)} == {"jvb1", "jms"}
    outer = next(each for each in by_words.values() if each.source is None)
    assert [node for node in topology.nodes if outer.touches(node)] == [outer.target.node]
