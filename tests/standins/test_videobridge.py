"""The stand-in bridge: configuration, colibri2, expiry, health, STUN; no XMPP server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import struct
import time

import pytest

from tests.standins import paths  # noqa: F401

import bridge  # isort: skip
import colibri  # isort: skip
import colibri2  # isort: skip
import hocon  # isort: skip
import ice  # isort: skip
import jitsilog  # isort: skip
import jvbconfig  # isort: skip
import media  # isort: skip
import stanzas  # isort: skip
import stun  # isort: skip

SHARD = {"HOSTNAME": "10.0.0.1", "DOMAIN": "auth.m", "USERNAME": "jvb", "PASSWORD": "p",
         "MUC_JIDS": "b@i", "MUC_NICKNAME": "jvb1"}  # fmt: skip


def config(shard: dict[str, str], **videobridge: hocon.Json) -> hocon.Config:
    configs: hocon.Json = {"configs": {"shard": dict(shard)}}
    return hocon.Config({"videobridge": {"apis": {"xmpp-client": configs}, **videobridge}})


# -- configuration -----------------------------------------------------------------------------


def test_defaults_are_upstreams() -> None:
    parsed = jvbconfig.parse_config(config(SHARD), {})
    assert parsed.udp_port == 10000 and parsed.presence_interval == 5
    assert parsed.health.require_valid_address and parsed.health.interval == 60
    assert parsed.rest.private_host == "127.0.0.1" and parsed.rest.private_port == 8080
    assert parsed.rest.public_port == -1 and not parsed.rest.colibri


def test_remote_host_needs_verified_tls() -> None:
    (muc,) = jvbconfig.parse_config(config(SHARD), {}).mucs
    assert muc.account.security == "required" and muc.account.verify
    (muc,) = jvbconfig.parse_config(config({**SHARD, "HOSTNAME": "localhost"}), {}).mucs
    assert muc.account.security == "ifpossible"


def test_dashed_key_is_not_recognised() -> None:
    (muc,) = jvbconfig.parse_config(
        config({**SHARD, "disable-certificate-verification": "true"}), {}
    ).mucs
    assert muc.account.verify
    (muc,) = jvbconfig.parse_config(
        config({**SHARD, "disable_certificate_verification": "true"}), {}
    ).mucs
    assert not muc.account.verify


def test_incomplete_entry_is_dropped() -> None:
    assert jvbconfig.parse_config(config({"HOSTNAME": "h"}), {}).mucs == ()


def test_complete_legacy_entry_wins() -> None:
    legacy = {f"{jvbconfig.LEGACY}old.{key}": value for key, value in SHARD.items()}
    parsed = jvbconfig.parse_config(config(SHARD), legacy)
    assert [muc.id for muc in parsed.mucs] == ["old"]
    del legacy[f"{jvbconfig.LEGACY}old.PASSWORD"]
    parsed = jvbconfig.parse_config(config(SHARD), legacy)
    assert [muc.id for muc in parsed.mucs] == ["shard"] and parsed.incomplete == ("old",)


def test_relay_id_only_when_enabled() -> None:
    relay: hocon.Json = {"relay-id": "jvb1", "region": "lab"}
    parsed = jvbconfig.parse_config(config(SHARD, relay=relay), {})
    assert parsed.relay_id is None and parsed.region == "lab"


# -- colibri2 ----------------------------------------------------------------------------------

MEETING = colibri.Meeting("m-1", "r@c")


def make_colibri() -> colibri2.Colibri2:
    websockets = jvbconfig.Websockets(True, "jvb1", ("m:443",), (), True)
    where = colibri2.Transport(("10.0.0.2",), 10000, True, websockets)
    return colibri2.Colibri2(media.Media(jitsilog.Journal()), where)


def ask(service: colibri2.Colibri2, *children: stanzas.Element, create: bool = False,
        expire: bool = False) -> stanzas.Element:  # fmt: skip
    request = colibri.modify("b@i/j", MEETING, *children, create=create, expire=expire)
    request.set("from", "b@i/focus")
    return service.handle(request, request[0])


def endpoint(id: str, *, sctp: bool = True, visitor: bool = False) -> stanzas.Element:
    return colibri.create_endpoint(
        colibri.EndpointOffer(id, None, frozenset({"AUDIO", "VIDEO"}), visitor, sctp)
    )


def test_create_gives_what_jicofo_demands() -> None:
    service = make_colibri()
    found = colibri.parse_allocation(ask(service, endpoint("ab"), create=True), "ab", sctp=True)
    text = stanzas.render_xml(found.transport)
    assert "ip='10.0.0.2'" in text and "setup='actpass'" in text
    assert "wss://m:443/colibri-ws/jvb1/" in text
    assert [source.name for source in found.bridge_sources.sources] == ["jvb-a0", "jvb-v0"]
    assert service.media.endpoint_count == 1


@pytest.mark.parametrize(
    ("create", "children", "reason"),
    [
        (True, [], "conference_already_exists"),
        (False, [colibri.update_endpoint("zz")], "unknown_endpoint"),
    ],
)
def test_errors(create: bool, children: list[stanzas.Element], reason: str) -> None:
    service = make_colibri()
    ask(service, endpoint("ab"), create=True)
    with pytest.raises(colibri.ColibriError) as caught:
        colibri.check_answer(ask(service, *children, create=create))
    assert caught.value.reason == reason


def test_unknown_conference() -> None:
    with pytest.raises(colibri.ColibriError) as caught:
        colibri.check_answer(ask(make_colibri(), endpoint("ab")))
    assert (caught.value.condition, caught.value.reason) == (
        "item-not-found", "conference_not_found",
    )  # fmt: skip


def test_graceful_shutdown_refuses_new_conferences_only() -> None:
    service = make_colibri()
    ask(service, endpoint("ab"), create=True)
    service.refuse_new = True
    assert ask(service, endpoint("cd")).get("type") == "result"
    request = colibri.modify("b", colibri.Meeting("m-2", "x"), endpoint("e"), create=True)
    with pytest.raises(colibri.ColibriError) as caught:
        colibri.check_answer(service.handle(request, request[0]))
    assert caught.value.reason == "graceful_shutdown"


def test_last_endpoint_takes_the_conference_with_it() -> None:
    service = make_colibri()
    ask(service, endpoint("ab"), create=True)
    ask(service, *colibri.expire_endpoints(["ab"]))
    assert service.media.conferences == {} and service.media.ice.agents == {}


def test_relay() -> None:
    async def scene() -> None:
        service = make_colibri()
        ask(service, endpoint("ab"), create=True)
        asked = colibri.create_relay("jvb2", [], controlling=True, sctp=True)
        theirs = colibri.parse_relay(ask(service, asked), "jvb2")
        connect = colibri.relay_transport(theirs, controlling=False, setup="passive")
        assert "setup='passive'" in stanzas.render_xml(connect)
        assert ask(service, colibri.update_relay("jvb2", connect)).get("type") == "result"
        (conference,) = service.media.conferences.values()
        assert list(conference.relays) == ["jvb2"]
        service.media.ice.close()

    asyncio.run(scene())


# -- expiry ------------------------------------------------------------------------------------


def test_silent_endpoint_expires_after_two_minutes() -> None:
    service = make_colibri()
    ask(service, endpoint("ab"), create=True)
    now = time.monotonic()
    service.media.expire_old(60, now=now + 119)
    assert service.media.endpoint_count == 1
    service.media.expire_old(60, now=now + 121)
    assert service.media.endpoint_count == 0
    service.media.expire_old(60, now=now + 150)
    assert service.media.conferences == {}


# -- health ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "valid"),
    [("192.168.56.105", False), ("10.1.1.1", False), ("172.31.0.1", False), ("127.0.0.1", False),
     ("169.254.1.1", False), ("203.0.113.4", True), ("fd00::1", True), ("fe80::1", False)],
)  # fmt: skip
def test_valid_address(address: str, valid: bool) -> None:
    assert bridge.valid_address(address) is valid


def test_health_on_a_private_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "read_addresses", lambda: ["192.168.56.105"])
    made = bridge.Bridge(jvbconfig.parse_config(config(SHARD), {}), jitsilog.Journal())
    made.udp_bound = True
    assert made.health.success  # the first minute looks healthy
    made.check_health()
    assert made.health.message == "No valid IP addresses available for harvesting."
    relaxed: hocon.Json = {"require-valid-address": False}
    made = bridge.Bridge(
        jvbconfig.parse_config(config(SHARD, health=relaxed), {}), jitsilog.Journal()
    )
    made.udp_bound = True
    made.check_health()
    assert made.health.success


def test_private_addresses_are_offered_unless_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "read_addresses", lambda: ["192.168.56.105", "203.0.113.4"])
    for offered, addresses in ((True, 2), (False, 1)):
        ice_settings: hocon.Json = {"advertise-private-candidates": offered}
        parsed = jvbconfig.parse_config(config(SHARD, ice=ice_settings), {})
        made = bridge.Bridge(parsed, jitsilog.Journal())
        assert len(made.colibri.transport.addresses) == addresses


def test_local_addresses() -> None:
    table = (
        "Local:\n  +-- 0.0.0.0/0\n     |-- 10.77.3.105\n        /32 host LOCAL\n"
        "     |-- 10.77.3.255\n        /32 link BROADCAST\n"
        "     |-- 127.0.0.1\n        /32 host LOCAL\n"
    )
    assert ice.local_addresses(table) == ["10.77.3.105"]


# -- STUN --------------------------------------------------------------------------------------


def binding(username: str, pwd: str) -> bytes:
    name = username.encode()
    body = struct.pack("!HH", stun.USERNAME, len(name)) + name + b"\0" * (-len(name) % 4)
    head = struct.pack("!HHI", 1, len(body) + 24, stun.COOKIE) + b"t" * 12
    mac = hmac.new(pwd.encode(), head + body, hashlib.sha1).digest()
    return head + body + struct.pack("!HH", stun.MESSAGE_INTEGRITY, 20) + mac


class Wire:
    """Where answers go."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendto(self, data: bytes, addr: object) -> None:
        self.sent.append(data)


@pytest.mark.parametrize("right", [True, False], ids=["right-password", "wrong-password"])
def test_stun(right: bool) -> None:
    agent = ice.IceAgent(controlling=True)
    server = ice.IceServer()
    server.add(agent)
    socket, wire = ice.IceSocket(server, "192.0.2.9", 10000), Wire()
    socket._transport = wire  # type: ignore[assignment]
    request = binding(f"{agent.ufrag}:them", agent.pwd if right else "x")
    socket.datagram_received(request, ("192.0.2.1", 4000))
    assert (len(wire.sent), agent.active is not None) == ((1, True) if right else (0, False))
    if right:
        port = struct.unpack_from("!H", wire.sent[0], 26)[0] ^ (stun.COOKIE >> 16)
        assert port == 4000
