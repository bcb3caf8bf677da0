"""coturn on the JMS: participants get credentials from Prosody and reach each other through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from urllib.parse import urlencode

import pytest

from acceptance.stun import Allocation, RefusedError, over_tls, over_udp
from labctl.crowd import Options, Target
from labctl.crowd.door import Door
from labctl.crowd.names import RoomName
from labctl.crowd.stream import Stream
from labctl.crowd.sync import wait
from labctl.crowd.xml import element
from labctl.topology.model import Topology

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
        options, room = Options(), RoomName.of("turn")
        domain, account = options.login(target, vnode=None)
        query = urlencode({"room": room.asked, "token": options.token_for(target, room) or ""})
        stream = Stream(target, domain=domain, door=Door(query), on_stanza=_ignore, on_lost=_ignore)
        async with asyncio.timeout(target.patience.scaled(SECONDS)):
            await stream.connect()
            await stream.login(account)
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
    seconds = target.patience.scaled(SECONDS)

    def open_one() -> Allocation:
        if request.param == "turn":
            connection = over_udp(address, port, seconds=seconds)
        else:
            connection = over_tls(
                address,
                port,
                name=service["host"],
                context=target.context(),
                seconds=seconds,
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
