"""Calls against a bridge on loopback, on bad days: which stage failed, and where."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from labctl.crowd.events import Kind
from labctl.crowd.media import MediaOptions, MediaProblem, MediaStage
from labctl.crowd.xml import Element, parse_stanza
from tests.crowd.media.fakebridge import FakeBridge
from tests.crowd.media.person import NOWHERE, OPTIONS, Person, play

pytestmark = pytest.mark.sockets

OTHER = ":".join(["AB"] * 32)
AV1 = "<payload-type id='41' name='AV1' clockrate='90000'/>"


def free_port() -> int:
    """A port of loopback on which nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fail(bridge: FakeBridge, options: MediaOptions = OPTIONS) -> MediaProblem:
    """What one who is invited by this bridge is told."""
    found: list[MediaProblem] = []

    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", replace(options, connect_within=1.2))
        await person.invite(bridge)
        event = await person.wait(Kind.MEDIA_FAILED)
        problem = person.view().problem
        assert problem is not None and event.details["stage"] == problem.stage
        assert event.details["reason"] == problem.detail
        found.append(problem)

    play(scene, bridge)
    return found[0]


def test_nobody_answers() -> None:
    port = free_port()
    problem = fail(FakeBridge(candidates=[("127.0.0.1", port, "udp")]))
    assert problem.stage is MediaStage.NO_ANSWER
    assert (problem.bridge, problem.address, problem.port) == ("jvb1", "127.0.0.1", port)
    where = f"No media through bridge 'jvb1' 127.0.0.1:{port}: no answer: no check was answered."
    assert problem.message == where


def test_no_packet_goes_to_an_address_outside_the_network() -> None:
    target = replace(NOWHERE, within=IPv4Network("192.168.56.0/24"))

    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", replace(OPTIONS, connect_within=0.5), target=target)
        endpoint = await person.invite(bridge)
        await person.wait(Kind.MEDIA_FAILED)
        problem = person.view().problem
        assert problem is not None and problem.stage is MediaStage.OFFER
        assert endpoint.packets == [] and person.view().reaches == ()

    play(scene)


def test_credentials_that_are_not_the_bridges() -> None:
    problem = fail(FakeBridge(password="x" * 24))
    assert (problem.stage, problem.bridge) == (MediaStage.WRONG_CREDENTIALS, "jvb1")
    assert problem.port > 0 and "401" in problem.detail


def test_a_certificate_that_the_jingle_does_not_name() -> None:
    problem = fail(FakeBridge(fingerprint=OTHER))
    assert (problem.stage, problem.bridge) == (MediaStage.FINGERPRINT, "jvb1")
    assert "AB:AB:AB" in problem.detail and problem.port > 0


def test_a_bridge_that_does_not_shake_hands() -> None:
    problem = fail(FakeBridge(deaf_dtls=True))
    assert (problem.stage, problem.bridge) == (MediaStage.DTLS, "jvb1")
    assert "no answer to the handshake" in problem.detail


def test_a_bridge_that_finds_our_certificate_wrong_gets_no_packets_through() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111")
        endpoint = await person.invite(bridge)
        await person.wait(Kind.MEDIA)
        async with asyncio.timeout(3):
            while endpoint.dtls.state != "failed":
                await asyncio.sleep(0.02)
        assert not endpoint.rtp

    play(scene, FakeBridge(wanted_fingerprint=OTHER))


def test_only_tcp_is_offered() -> None:
    problem = fail(FakeBridge(candidates=[("127.0.0.1", 4443, "tcp")]))
    assert (problem.stage, problem.port) == (MediaStage.OFFER, 4443)
    assert "'tcp' is not a transport that participants speak" in problem.detail


def test_an_address_that_nobody_can_reach() -> None:
    """The bridge could reach the participant, but a browser would not tell it where: nor do we."""
    problem = fail(FakeBridge(candidates=[("127.1.2.3", 10000, "udp"), ("127.1.2.4", 9, "udp")]))
    assert (problem.stage, problem.address, problem.port) == (
        MediaStage.NO_ANSWER,
        "127.1.2.3",
        10000,
    )
    assert "nor by 127.1.2.4:9" in problem.detail


def test_ipv6_alone_is_enough() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111")
        await person.invite(bridge)
        await person.wait(Kind.MEDIA)
        assert (person.view().address, person.view().bridge) == ("::1", "jvb6")

    play(scene, FakeBridge(host="::1"))


def test_each_candidate_is_told_on_its_own() -> None:
    async def scene(bridge: FakeBridge) -> None:
        closed, person = free_port(), Person("aaaa1111")
        bridge.candidates = [("127.0.0.1", closed, "udp"), ("127.0.0.1", 4443, "tcp")]
        true = (await person.invite(bridge)).address
        person.call.take(trickle(*true[:2]))
        await person.wait(Kind.MEDIA)
        await person.call.answered(0.5)
        stages = {(reach.port, reach.stage) for reach in person.view().reaches}
        assert stages == {
            (closed, MediaStage.NO_ANSWER),
            (4443, MediaStage.OFFER),
            (true[1], None),
        }

    play(scene)


def trickle(address: str, port: int) -> Element:
    return parse_stanza(
        "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info'><content name='audio'>"
        "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>"
        f"<candidate component='1' ip='{address}' port='{port}' protocol='udp' type='host'/>"
        "</transport></content></jingle>"
    )


def test_codecs_that_do_not_agree() -> None:
    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111")
        endpoint = await person.invite(bridge)
        event = await person.wait(Kind.MEDIA_FAILED)
        assert event.details["stage"] == MediaStage.CODECS
        assert "of its video codecs (av1) there is no recording" in event.details["reason"]
        await person.wait(Kind.MEDIA)  # sound goes on
        assert set(endpoint.ssrcs) == {"audio"}

    play(scene, FakeBridge(video_codecs=AV1))
