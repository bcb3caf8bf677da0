"""coturn on the JMS: participants get credentials from Prosody and reach each other through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

import pytest

from acceptance.stun import Allocation, RefusedError, over_tls, over_udp
from labctl.crowd import Target
from labctl.crowd.stream import Stream
from labctl.crowd.sync import wait
from labctl.crowd.xml import element
from labctl.model import Topology
from labctl.waiting import scaled

pytestmark = pytest.mark.ports

EXTDISCO = "urn:xmpp:extdisco:2"
SECONDS = 5.0
OUTSIDE = IPv4Address("192.0.2.1")

Service = Mapping[str, str]


@pytest.fixture(scope="module")
def services(target: Target, topology: Topology) -> Mapping[str, Service]:
    """What Prosody offers a participant, by type (XEP-0215)."""
    if not topology.jms.turn:
        pytest.skip("this lab has no TURN server ('turn = on' makes one)")

    async def ask() -> Mapping[str, Service]:
        stream = Stream(target, domain=target.domain, query="", on_stanza=_ignore, on_lost=_ignore)
        async with asyncio.timeout(scaled(SECONDS)):
            await stream.connect()
            await stream.login()
            answer = await stream.request("get", element("services", ns=EXTDISCO), to=target.domain)
            await stream.close()
        return {str(it.get("type")): it.attrib for it in answer.iter(f"{{{EXTDISCO}}}service")}

    return wait(ask())


def _ignore(_: object) -> None:
    """Nothing that comes by itself matters here."""


@pytest.fixture(params=["turn", "turns"], ids=["udp", "tls"])
def allocation(
    request: pytest.FixtureRequest,
    services: Mapping[str, Service],
    target: Target,
    topology: Topology,
) -> Callable[[], Allocation]:
    """Opens a connection to coturn with the credentials that Prosody gave."""
    service = services[request.param]
    address, port = topology.jms.address, int(service["port"])

    def open_one() -> Allocation:
        if request.param == "turn":
            connection = over_udp(address, port, seconds=scaled(SECONDS))
        else:
            connection = over_tls(
                address,
                port,
                name=service["host"],
                context=target.context(),
                seconds=scaled(SECONDS),
            )
        return Allocation(connection, service["username"], service["password"])

    return open_one


def test_two_participants_reach_each_other(
    allocation: Callable[[], Allocation], topology: Topology
) -> None:
    """When this fails, people behind a strict firewall neither hear nor see anybody."""
    with allocation() as first, allocation() as second:
        here, there = first.allocate(), second.allocate()
        assert here[0] == there[0] == topology.jms.address
        first.permit(there)
        second.permit(here)
        first.send(there, b"media")
        assert second.receive() == (here, b"media")


def test_nobody_gets_out_of_the_lab(allocation: Callable[[], Allocation]) -> None:
    """When this fails, anybody may use the lab as a way into other networks."""
    with allocation() as client:
        client.allocate()
        with pytest.raises(RefusedError, match="403"):
            client.permit((OUTSIDE, 53))


def test_a_wrong_password_is_refused(allocation: Callable[[], Allocation]) -> None:
    """When this fails, anybody may use the server without having joined."""
    with allocation() as client:
        client.password = "wrong"
        with pytest.raises(RefusedError, match="401"):
            client.allocate()
