"""Relays: one conference on several bridges, on labs that have `relays = on`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from acceptance import jicofo, web
from acceptance.remote import Machine
from labctl.crowd import Kind, Options, Target, View
from labctl.crowd.sync import SyncCrowd, crowd_in
from labctl.node.jicofo import BridgeSession
from labctl.topology.model import Node, Topology

pytestmark = [pytest.mark.relays, pytest.mark.brewery]

SECONDS = 20
REGION = "lab"
CALM_SECONDS = 15
TRIES = 3
EACH = 2
"""As many speakers as listeners: VisitorSelectionStrategy puts them on bridges of their own."""


@pytest.fixture(autouse=True)
def relays_on(topology: Topology) -> None:
    if not topology.spec.relays:
        pytest.skip("this lab has relays off: a conference stays on one bridge")
    if len(topology.bridges) < 2:
        pytest.skip("this lab has one bridge only")


@dataclass(frozen=True)
class Wide:
    """A conference with speakers and listeners, as they and as Jicofo see it."""

    speakers: list[View]
    listeners: list[View]
    sessions: Mapping[str, BridgeSession]
    """Jicofo's session on each bridge, by the bridge's nick."""


def stress_of(jms: Machine) -> dict[str, float]:
    """The stress of the bridges that Jicofo holds for overloaded, by nick."""
    known = jicofo.bridges(jms).items()
    return {nick: bridge.stress or 0.0 for nick, bridge in known if bridge.overloaded}


def need_calm(jms: Machine) -> None:
    """Wait until no bridge is overloaded, which by default is a matter of the node's CPU.

    Visitors and participants share a bridge when the others are overloaded, as upstream has it;
    nodes that share few cores are so whenever the machine is busy.
    """
    seen = jicofo.wait_value(
        lambda: stress_of(jms), {}, seconds=CALM_SECONDS, patience=jms.patience
    )
    if seen:
        pytest.skip(f"this machine is too busy: overloaded bridges {seen} after {CALM_SECONDS} s")


@pytest.fixture(scope="module")
def wide(target: Target, topology: Topology, jms: Machine) -> Iterator[Wide]:
    """The conference; started again if a bridge became overloaded while it began."""
    if not topology.spec.relays or not topology.vnodes:
        pytest.skip("takes relays and vnodes")
    with ExitStack() as stack:
        for index in range(TRIES):
            need_calm(jms)
            crowd = stack.enter_context(crowd_in(target, f"accept-wide-{index}"))
            found, stress = begin(crowd, target, jms)
            if not stress:
                break
        else:
            pytest.skip(
                f"this machine is too busy: {TRIES} times a bridge became overloaded while people "
                f"joined, at last {stress}"
            )
        yield found


def begin(crowd: SyncCrowd, target: Target, jms: Machine) -> tuple[Wide, dict[str, float]]:
    """Let everybody join; the conference, and the stress of bridges that were overloaded then.

    Bridges tell their stress every 5 s (docs/facts/jicofo.md, 1), so looks that are closer to
    each other than this miss no time in which a bridge was overloaded.
    """
    crowd.join(EACH, deadline=SECONDS)
    stress = stress_of(jms)
    crowd.join(EACH, deadline=SECONDS, options=Options(want_visitor=True))
    stress |= stress_of(jms)
    crowd.wait_for(Kind.ACCEPTED, deadline=SECONDS)
    sessions = jicofo.sessions(jms, target.room_jid(crowd.room, None))
    stress |= stress_of(jms)
    views = crowd.views()
    return Wide(views[:EACH], views[EACH:], sessions), stress


def test_bridge_is_in_the_region(jms: Machine, bridge: Node) -> None:
    """When this fails, Jicofo takes the bridge for one that cannot relay, and fills another."""
    known = jicofo.bridges(jms)[str(bridge.bridge)]
    assert (known.relay_id, known.region) == (bridge.bridge, REGION)


def test_conference_spans_bridges(wide: Wide, topology: Topology) -> None:
    """When this fails, a conference ends at the limits of one bridge although there are more."""
    assert len(wide.sessions) >= 2, sorted(wide.sessions)
    assert set(wide.sessions) <= set(topology.bridges)


def test_listeners_and_speakers_are_on_bridges_of_their_own(wide: Wide) -> None:
    """When this fails, a crowd of listeners takes the speakers' bridge down with it."""
    speaking = {view.bridge_session for view in wide.speakers}
    listening = {view.bridge_session for view in wide.listeners}
    assert len(speaking) == len(listening) == 1, (speaking, listening)
    assert speaking.isdisjoint(listening)


def test_sessions_are_those_jicofo_knows(wide: Wide) -> None:
    """When this fails, clients report failures of bridge sessions that nobody can find."""
    told = {view.bridge_session for view in (*wide.speakers, *wide.listeners)}
    assert told == {session.id for session in wide.sessions.values()}


def test_everybody_is_told_the_region(wide: Wide) -> None:
    """When this fails, clients cannot tell how far away their bridge is."""
    assert {view.region for view in (*wide.speakers, *wide.listeners)} == {REGION}


def test_bridges_relay_to_each_other(wide: Wide) -> None:
    """When this fails, half of the conference neither sees nor hears the other half."""
    relays = {nick: set(session.relays) for nick, session in wide.sessions.items()}
    others = {nick: set(wide.sessions) - {nick} for nick in wide.sessions}
    assert relays == others


def test_bridge_channel_reaches_its_bridge(target: Target, bridge: Node) -> None:
    """When this fails, clients of this bridge get no video, only sound: nginx ends the channel.

    Without credentials the bridge itself refuses; nginx must have neither an error of its own
    (502, 504) nor a page of the site for the path.
    """
    reply = web.ask(target, f"/colibri-ws/{bridge.bridge}/no-conference/no-endpoint?pwd=none")
    missing = web.ask(target, "/static/404.html")
    assert 400 <= reply.status < 500, reply
    assert reply.body != missing.body and "nginx" not in reply.body
