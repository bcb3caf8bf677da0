"""The stand-in Jicofo's decisions: bridges, visitors, offers, sources; no XMPP server."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.standins import paths  # noqa: F401

import bridges  # isort: skip
import colibri  # isort: skip
import confrequests  # isort: skip
import hocon  # isort: skip
import jicofoconfig  # isort: skip
import jitsilog  # isort: skip
import offer  # isort: skip
import participant  # isort: skip
import selector  # isort: skip
import sources  # isort: skip
import stanzas  # isort: skip
import strategies  # isort: skip
import visitors  # isort: skip

CLIENT = {"xmpp-domain": "m", "domain": "auth.m", "username": "focus", "password": "p"}


def parse(**jicofo: hocon.Json) -> jicofoconfig.JicofoConfig:
    tree: dict[str, hocon.Json] = {"xmpp": {"client": dict(CLIENT)}, **jicofo}
    return jicofoconfig.parse_config(hocon.Config({"jicofo": tree}), {})


SETTINGS = parse().bridge
VISITORS = parse(visitors={"enabled": True, "max-participants": 30}).visitors


class Clock:
    """Time that tests move."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def bridge(
    name: str, *, settings: jicofoconfig.BridgeSettings = SETTINGS, clock: Clock | None = None,
    **stats: str,
) -> bridges.Bridge:  # fmt: skip
    made = bridges.Bridge(f"b@i/{name}", settings, clock or Clock())
    made.update({"drain": "false", "version": "1", **stats})
    return made


# -- configuration -----------------------------------------------------------------------------


def test_defaults_are_upstreams() -> None:
    config = parse()
    assert config.rest_port == 8888 and config.rest_host == "127.0.0.1"
    assert config.bridge.health_interval == 10 and config.bridge.health_retry == 5
    assert config.conference.single_timeout == 20 and config.conference.initial_timeout == 15
    assert not config.visitors.enabled and config.xmpp.account.host == "localhost"


def test_vnode_needs_a_domain() -> None:
    xmpp: hocon.Json = {
        "client": dict(CLIENT),
        "visitors": {"v1": {"hostname": "h", "conference-service": "c"}},
    }
    with pytest.raises(hocon.ConfigError, match="visitor domain not configured for v1"):
        parse(xmpp=xmpp)


def test_legacy_brewery_wins() -> None:
    tree: hocon.Json = {"xmpp": {"client": dict(CLIENT)}, "bridge": {"brewery-jid": "A@b"}}
    config = hocon.Config({"jicofo": tree})
    legacy = {"org.jitsi.jicofo.BRIDGE_MUC": "Old@c"}
    assert jicofoconfig.parse_config(config, legacy).bridge.brewery == "old@c"
    assert jicofoconfig.parse_config(config, {}).bridge.brewery == "a@b"


# -- bridges -----------------------------------------------------------------------------------


def test_bridge_text() -> None:
    assert str(bridge("j1")) == (
        "Bridge[jid=b@i/j1, version=1, relayId=null, region=null, correctedStress=0.00]"
    )


def test_stress_ramps_up_and_forgets() -> None:
    clock = Clock()
    one = bridge("j1", clock=clock, stress_level="0.2")
    for _ in range(10):
        one.endpoint_added()
    assert one.corrected_stress == pytest.approx(0.3)
    clock.now += 21
    assert one.corrected_stress == pytest.approx(0.2)


def test_failure_is_remembered_for_a_minute() -> None:
    clock = Clock()
    one = bridge("j1", clock=clock)
    one.set_operational(False)
    one.set_operational(True)
    clock.now += 59
    assert not one.operational
    clock.now += 2
    assert one.operational


def test_draining_until_told_otherwise() -> None:
    assert bridges.Bridge("b@i/x", SETTINGS).draining


def test_shutting_down_latches() -> None:
    one = bridge("j1")
    assert one.update({"shutting_down": "true"})
    assert not one.update({"shutting_down": "false"})
    assert one.shutting_down


@pytest.mark.parametrize(
    ("stats", "version", "reason"),
    [
        ({"shutting_down": "true"}, None, "All operational bridges are SHUTTING_DOWN"),
        ({}, "2", "There are no bridges with the required version: 2"),
    ],
)
def test_no_candidates(stats: dict[str, str], version: str | None, reason: str) -> None:
    found = bridges.filter_candidates([bridge("j1", **stats)], version=version)
    assert found.bridges == [] and found.reason == reason


def test_candidates_prefer_the_undrained_and_least_stressed() -> None:
    drained = bridge("d", drain="true", stress_level="0")
    busy, calm = bridge("b", stress_level="0.5"), bridge("c", stress_level="0.1")
    found = bridges.filter_candidates([drained, busy, calm], version=None)
    assert [one.nick for one in found.bridges] == ["c", "b"]
    assert bridges.filter_candidates([drained], version=None).bridges == [drained]


# -- strategies --------------------------------------------------------------------------------

ANYBODY = bridges.Properties()


def used(**counts: int) -> dict[str, strategies.Used]:
    return {f"b@i/{name}": strategies.Used(count, visitor=False) for name, count in counts.items()}


def test_single_prefers_the_region() -> None:
    near = bridge("near", region="eu", stress_level="0.5")
    far = bridge("far", region="us")
    who = bridges.Properties(region="eu")
    assert strategies.select_single([far, near], {}, who, SETTINGS) is near


def test_split_takes_the_emptiest() -> None:
    one, two = bridge("j1"), bridge("j2")
    assert strategies.select_split([one, two], used(j1=2, j2=1), ANYBODY, SETTINGS) is two
    assert strategies.select_split([one, two], used(j1=2), ANYBODY, SETTINGS) is two


def test_region_stays_until_the_bridge_is_full() -> None:
    one, two = bridge("j1", stress_level="0.3"), bridge("j2")
    chosen = strategies.select_region([two, one], used(j1=79), ANYBODY, SETTINGS)
    assert chosen is one
    assert strategies.select_region([two, one], used(j1=80), ANYBODY, SETTINGS) is two


def test_region_leaves_a_stressed_bridge() -> None:
    one, two = bridge("j1", stress_level="0.9"), bridge("j2", stress_level="0.1")
    assert strategies.select_region([two, one], used(j1=3), ANYBODY, SETTINGS) is two


def test_visitors_get_a_bridge_of_their_own() -> None:
    one, two = bridge("j1"), bridge("j2")
    visitor = bridges.Properties(visitor=True)
    assert strategies.select_visitor([one, two], used(j1=30), visitor, SETTINGS) is two
    assert strategies.select_visitor([one, two], used(j1=30), ANYBODY, SETTINGS) is one
    assert strategies.select_visitor([one], used(j1=30), visitor, SETTINGS) is one


def make_selector(*names: str, octo: bool = False, **stats: str) -> selector.BridgeSelector:
    settings = replace(SETTINGS, octo=octo, selection="SingleBridgeSelectionStrategy")
    if octo:
        settings = replace(settings, selection="VisitorSelectionStrategy")
    made = selector.BridgeSelector(settings, jitsilog.Journal())
    for name in names:
        made.presence(f"b@i/{name}", {"drain": "false", "version": "1", **stats})
    return made


def test_one_bridge_per_conference_without_octo(capsys: pytest.CaptureFixture[str]) -> None:
    made = make_selector("j1", "j2")
    journal = jitsilog.Journal()
    first = made.select({}, ANYBODY, version=None, journal=journal)
    assert first is not None
    again = made.select(used(**{first.nick: 100}), ANYBODY, version="1", journal=journal)
    assert again is first


def test_without_its_bridge_a_conference_gets_another() -> None:
    """The single-bridge trap: the selector then finds another bridge, the session manager fails."""
    made = make_selector("j1", "j2")
    made.bridges["b@i/j1"].set_operational(False)
    chosen = made.select({}, ANYBODY, version=None, journal=jitsilog.Journal())
    assert chosen is made.bridges["b@i/j2"]


def test_lost_bridges_are_counted_unless_they_said_so() -> None:
    made = make_selector("j1", "j2")
    made.presence("b@i/j2", {"graceful_shutdown": "true"})
    made.remove("b@i/j1")
    made.remove("b@i/j2")
    assert made.stats()["lost_bridges"] == 1 and made.stats()["bridge_count"] == 0


# -- visitors ----------------------------------------------------------------------------------

MODERN = visitors.Asked(supported=True, requested=False)


@pytest.mark.parametrize(
    ("asked", "room", "redirected"),
    [
        (MODERN, visitors.Room(29, False), False),
        (MODERN, visitors.Room(30, False), True),
        (MODERN, visitors.Room(1, True), True),
        (replace(MODERN, requested=True), visitors.Room(0, False), True),
        (replace(MODERN, supported=False), visitors.Room(99, True), False),
        (MODERN, visitors.Room(99, True, breakout=True), False),
        (MODERN, visitors.Room(99, True, metadata=visitors.RoomMetadata(lobby=True)), False),
        (MODERN, visitors.Room(2, False, metadata=visitors.RoomMetadata(soft_limit=2)), True),
        (MODERN, visitors.Room(99, False,
                               metadata=visitors.RoomMetadata(visitors_enabled=False)), False),
        (replace(MODERN, ids=("m",)),
         visitors.Room(99, True, metadata=visitors.RoomMetadata(moderators=("m",))), False),
        (MODERN, visitors.Room(0, False,
                               metadata=visitors.RoomMetadata(participants=("p",))), True),
    ],
    ids=["below", "at-limit", "sticky", "asked-for", "old-client", "breakout", "lobby",
         "soft-limit", "disabled", "moderator", "not-listed"],
)  # fmt: skip
def test_redirection(asked: visitors.Asked, room: visitors.Room, redirected: bool) -> None:
    assert visitors.must_redirect(asked, room, VISITORS, manager_enabled=True) is redirected
    assert not visitors.must_redirect(asked, room, VISITORS, manager_enabled=False)


@pytest.mark.parametrize(
    ("in_use", "registered", "expected"),
    [({"v1": 499, "v2": 400}, ["v1", "v2", "v3"], {"v2"}), ({"v1": 500}, ["v1", "v3"], {"v3"}),
     ({}, ["v2"], {"v2"}), ({"v1": 500}, ["v1"], {"v1", "v2", "v3"}), ({}, [], {"v1", "v2", "v3"})],
    ids=["least-filled", "full", "registered", "none-unused", "none-registered"],
)  # fmt: skip
def test_vnode_choice(in_use: dict[str, int], registered: list[str], expected: set[str]) -> None:
    found = {
        visitors.choose_vnode(
            in_use, registered, ["v1", "v2", "v3"], max_per_node=500, chooser=random.Random(seed)
        )
        for seed in range(40)
    }
    assert found == expected


def test_dead_vnode_in_use_is_chosen_again() -> None:
    """Upstream's weakness: whoever comes later is sent to the vnode that is down."""
    chosen = visitors.choose_vnode(
        {"v1": 2}, ["v2"], ["v1", "v2"], max_per_node=500, chooser=random.Random(1)
    )
    assert chosen == "v1"


# -- requests ----------------------------------------------------------------------------------


def test_proxied_sender_is_unescaped() -> None:
    sender = "focus.m/ab\\40m\\2fres\\5c20x"
    assert confrequests.unescape_proxied(sender, "focus.m") == "ab@m/res\\20x"
    assert confrequests.unescape_proxied(sender, "focus.other") == sender
    assert confrequests.unescape_proxied("a@m/b", "focus.m") == "a@m/b"


# -- offers and sources ------------------------------------------------------------------------


def transport() -> stanzas.Element:
    return stanzas.el(stanzas.ICE, "transport", {"ufrag": "u", "pwd": "p"})


def make_offer(*features: str, sctp: bool = False) -> stanzas.Element:
    source = sources.Source(5, "audio", "ab-a0", "m s")
    made = offer.Offer(
        sid="s1", initiator="focus@a/focus", features=frozenset(features), transport=transport(),
        bridge_session="bs", region="lab", sctp=sctp,
        sources={"ab": sources.SourceSet((source,))},
    )  # fmt: skip
    return offer.render_offer(made)


def contents(jingle: stanzas.Element) -> list[str | None]:
    return [one.get("name") for one in stanzas.find_all(jingle, stanzas.JINGLE, "content")]


def test_offer_for_the_simplest_client() -> None:
    jingle = make_offer("AUDIO", "VIDEO")
    assert contents(jingle) == ["audio", "video"]
    session = stanzas.find(jingle, stanzas.FOCUS, "bridge-session")
    assert session is not None and session.attrib == {"id": "bs", "region": "lab"}
    text = stanzas.render_xml(jingle)
    assert "ssrc='5'" in text and "owner='ab'" in text and "json-message" not in text
    assert text.count("ufrag='u'") == 2


def test_offer_with_json_and_data() -> None:
    jingle = make_offer("AUDIO", "VIDEO", "JSON_SOURCES", sctp=True)
    assert contents(jingle) == ["audio", "video", "data"]
    message = stanzas.find(jingle, stanzas.JITMEET, "json-message")
    assert message is not None
    assert message.text == '{"sources":{"ab":[[],[],[{"s":5,"n":"ab-a0","m":"m s"}]]}}'
    assert stanzas.render_xml(jingle).count("sctpmap") == 1


def test_repairs_come_last_and_have_their_feedback() -> None:
    jingle = make_offer("VIDEO", "RTX", "TCC")
    payloads = list(jingle.iter(f"{{{stanzas.RTP}}}payload-type"))
    names = [one.get("name") for one in payloads]
    assert names == ["AV1", "VP8", "H264", "VP9", "rtx", "rtx", "rtx", "rtx"]
    repairs = [
        one.get("id") for one in payloads[4:] if stanzas.find_all(one, stanzas.RTCP_FB, "rtcp-fb")
    ]
    assert repairs == ["42", "96", "97"]  # H.264's has none, upstream


def test_relay_is_offered_codecs_and_extensions() -> None:
    relay = colibri.create_relay("jvb2", [], controlling=True, sctp=True)
    kinds = [one.get("type") for one in stanzas.find_all(relay, stanzas.COLIBRI2, "media")]
    assert kinds == ["audio", "video"]


@pytest.mark.parametrize(
    ("controlling", "sctp", "sockets"), [(True, False, 1), (False, False, 0), (True, True, 0)]
)
def test_one_side_of_a_relay_connects_the_channel(
    controlling: bool, sctp: bool, sockets: int
) -> None:
    ice = stanzas.el(stanzas.ICE, "transport", {"ufrag": "u", "pwd": "p"})
    ice.append(stanzas.el(stanzas.COLIBRI, "web-socket", {"url": "wss://b/x"}))
    theirs = stanzas.el(stanzas.COLIBRI2, "transport", None, ice)
    if sctp:
        theirs.append(stanzas.el(stanzas.COLIBRI2, "sctp", {"port": "5000"}))
    made = colibri.relay_transport(theirs, controlling=controlling, setup="active")
    assert len(list(made.iter(f"{{{stanzas.COLIBRI}}}web-socket"))) == sockets
    assert len(list(ice)) == 1  # the answer itself is left as it was


def test_offer_without_video() -> None:
    assert contents(make_offer("AUDIO")) == ["audio"]


def test_receivers_are_told_of_one_layer() -> None:
    """Jitsi's client takes the first group of a source for its pair of repair: it must be one."""
    layers = sources.parse_json_sources(
        '{"sources":{"x":[[{"s":1,"n":"a-v0"},{"s":2},{"s":3},{"s":4}],'
        '[["s",1,3],["f",1,2],["f",3,4]],[{"s":5,"n":"a-a0"}]]}}'
    )
    told = layers.one_layer()
    assert [(source.media, source.ssrc) for source in told.sources] == [
        ("video", 1),
        ("video", 2),
        ("audio", 5),
    ]
    assert told.groups == (sources.Group("FID", "video", (1, 2)),)
    assert told.one_layer() == told
    assert parse().conference.strip_simulcast
    assert not parse(conference={"strip-simulcast": False}).conference.strip_simulcast


def test_sources_json_round_trip() -> None:
    several = sources.SourceSet(
        (sources.Source(1, "video", "a-v0", "m"), sources.Source(2, "video", "a-v0", "m")),
        (sources.Group("FID", "video", (1, 2)),),
    )
    text = sources.render_json_sources({"a": several}).text or ""
    assert sources.parse_json_sources(text) == several


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (sources.SourceSet((sources.Source(7, "audio"),)), "already used"),
        (sources.SourceSet(tuple(sources.Source(n, "audio") for n in range(9, 30))), "limit of 20"),
        (sources.SourceSet((sources.Source(9, "video"),), (sources.Group("FID", "video", (9,)),)),
         "no msid"),
    ],
    ids=["taken", "too-many", "no-msid"],
)  # fmt: skip
def test_bad_sources_change_nothing(bad: sources.SourceSet, words: str) -> None:
    everybody = sources.ConferenceSources()
    everybody.add("a", sources.SourceSet((sources.Source(7, "audio"),)))
    with pytest.raises(sources.SourceError, match=words):
        everybody.add("b", bad)
    assert list(everybody.by_owner) == ["a"]
    everybody.remove_owner("a")
    everybody.add("b", sources.SourceSet((sources.Source(7, "audio"),)))


def test_ssrc_zero_is_refused() -> None:
    with pytest.raises(sources.SourceError):
        sources.parse_source(stanzas.el(stanzas.SSMA, "source", {"ssrc": "0"}), "audio")


def test_restart_limit() -> None:
    limit = participant.RestartLimit()
    assert limit.allow(0) and not limit.allow(4)
    assert [limit.allow(at) for at in (5, 10, 15, 20, 25)] == [True, True, True, True, False]
    assert limit.allow(66)


def test_colibri_error_reason() -> None:
    answer = stanzas.iq_error(
        stanzas.iq("get", "b", id="1"), "conflict", "x",
        stanzas.el(stanzas.COLIBRI2, "error", {"reason": "conference_already_exists"}),
    )  # fmt: skip
    with pytest.raises(colibri.ColibriError) as caught:
        colibri.check_answer(answer)
    assert caught.value.reason == "conference_already_exists"
    assert caught.value.condition == "conflict"
