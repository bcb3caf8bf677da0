"""Media: people hear and see each other, through every bridge, every vnode and the TURN server.

Nothing else in this suite sends a packet of sound or picture.
"""

from __future__ import annotations

import pytest

from acceptance.media import BOTH, RELAYS, MediaOutcome, Seen, reasons
from acceptance.undertest import LabUnderTest
from labctl.core.errors import LabError
from labctl.crowd.media import ChannelKind, RelayKind
from labctl.topology.model import Node, Topology, VNode

pytestmark = pytest.mark.media

KINDS = (ChannelKind.SCTP, ChannelKind.WEBSOCKET)


def need(problem: LabError | None, lab: LabUnderTest) -> None:
    """Fail with the problem's own sentence, and with the rule that explains it."""
    if problem is not None:
        pytest.fail("\n".join(reasons(lab.lab, problem)), pytrace=False)


def received(outcome: MediaOutcome, receiver: int, sender: int) -> list[str]:
    """Which media of one person have reached another."""
    views = outcome.views
    return [kind for kind in BOTH if views[receiver].receives(views[sender].nick, kind)]


def hall(media: Seen, vnode: VNode, lab: LabUnderTest) -> MediaOutcome:
    """The conference with a visitor on this vnode."""
    outcome = media.halls.get(vnode.name) or media.halls.get("")
    assert outcome is not None, "Jicofo never sent anybody to this vnode"
    need(outcome.problem, lab)
    return outcome


def test_a_call_has_sound_and_picture(media: Seen, lab: LabUnderTest) -> None:
    """When this fails, people join, the chat works, and nobody hears or sees anybody."""
    need(media.call.problem, lab)
    assert received(media.call, 0, 1) == received(media.call, 1, 0) == list(BOTH)


def test_bridge_passes_sound_and_picture(media: Seen, lab: LabUnderTest, bridge: Node) -> None:
    """When this fails, every call that Jicofo gives to this bridge is silent."""
    outcome = media.bridges[str(bridge.bridge)]
    need(outcome.problem, lab)
    assert received(outcome, 0, 1) == received(outcome, 1, 0) == list(BOTH)


def test_bridge_answers_on_its_own_address(media: Seen, lab: LabUnderTest, bridge: Node) -> None:
    """When this fails, a bridge offers an address that leads elsewhere, or none."""
    outcome = media.bridges[str(bridge.bridge)]
    need(outcome.problem, lab)
    answered = {reach.address for reach in outcome.reaches if reach.reachable}
    assert str(bridge.address) in answered, [str(reach) for reach in outcome.reaches]


def test_offers_have_a_bridge_channel(media: Seen, lab: LabUnderTest, topology: Topology) -> None:
    """When this fails, nobody can tell a bridge what to send: there is sound and no picture."""
    need(media.call.problem, lab)
    assert media.channels, "neither a data channel nor a WebSocket is offered"
    if topology.spec.relays:
        assert ChannelKind.WEBSOCKET in media.channels


@pytest.mark.parametrize("kind", KINDS)
def test_bridge_answers_on_its_channel(
    media: Seen, lab: LabUnderTest, bridge: Node, kind: ChannelKind
) -> None:
    """When this fails, clients of this bridge wait for a channel that never opens.

    Bridges that were built without SCTP's library offer it beside the WebSocket and never answer:
    no client notices, for all take the WebSocket.
    """
    if kind not in media.channels:
        pytest.skip(f"this lab's offers have no channel of the kind '{kind}'")
    if kind != media.channels[0] and not media.answered(kind):
        pytest.skip(f"no bridge answers on '{kind}', and clients take '{media.channels[0]}'")
    outcome = media.bridges[str(bridge.bridge)]
    need(outcome.problem or outcome.channels[kind], lab)
    assert str(bridge.bridge) in media.answered(kind)


@pytest.mark.visitors
def test_visitors_hear_and_see_the_stage(media: Seen, lab: LabUnderTest, vnode: VNode) -> None:
    """When this fails, an audience on this vnode looks at a black and silent stage."""
    outcome = hall(media, vnode, lab)
    assert received(outcome, 1, 0) == list(BOTH)


@pytest.mark.visitors
def test_visitors_are_not_heard(media: Seen, lab: LabUnderTest, vnode: VNode) -> None:
    """When this fails, anybody in the audience can speak over the stage."""
    outcome = hall(media, vnode, lab)
    speaker, visitor = outcome.views
    assert visitor.sent == ()
    assert {one.owner for one in speaker.sources if one.packets} == set()


@pytest.mark.relays
def test_media_passes_between_bridges(media: Seen, lab: LabUnderTest, topology: Topology) -> None:
    """When this fails, half of a conference neither hears nor sees the other half."""
    if not topology.spec.relays or not topology.vnodes or len(topology.bridges) < 2:
        pytest.skip("takes relays, vnodes and two bridges")
    for outcome in media.halls.values():
        need(outcome.problem, lab)
    apart = [one for one in media.halls.values() if len({it.bridge for it in one.views}) == 2]
    if not apart:
        pytest.skip("this machine is too busy: speakers and visitors were put on one bridge")
    assert [received(one, 1, 0) for one in apart] == [list(BOTH)] * len(apart)


@pytest.mark.parametrize("kind", RELAYS)
def test_media_passes_through_the_turn_server(
    media: Seen, lab: LabUnderTest, topology: Topology, kind: RelayKind
) -> None:
    """When this fails, people whose firewall lets no UDP to the bridges are in a silent call."""
    if not topology.jms.turn:
        pytest.skip("this lab has no TURN server ('turn = on' makes one)")
    outcome = media.relayed[kind]
    need(outcome.problem, lab)
    assert received(outcome, 0, 1) == received(outcome, 1, 0) == list(BOTH)
