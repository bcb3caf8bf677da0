"""Jingle about media: offers, sources in both spellings, and what is agreed to."""

from __future__ import annotations

import pytest

from labctl.crowd.media.accept import agree
from labctl.crowd.media.offer import Candidate, Codec, parse_media
from labctl.crowd.media.sources import Source, parse_sources
from labctl.crowd.xml import parse_stanza

TRANSPORT = """
<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='uf' pwd='secret'>
  <rtcp-mux/>
  <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>ab:cd
  </fingerprint>
  <candidate component='1' ip='192.0.2.1' port='10000' protocol='udp' type='host' priority='9'/>
  <candidate component='2' ip='192.0.2.1' port='10001' protocol='udp' type='host'/>
  <candidate component='1' ip='2001:db8::1' port='10000' protocol='UDP' type='srflx'/>
  <web-socket xmlns='http://jitsi.org/protocol/colibri' url='wss://h/colibri-ws/j/c/e?pwd=p'/>
</transport>"""
OFFER = f"""
<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'>
<content name='audio'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
  <payload-type id='111' name='opus' clockrate='48000' channels='2'/>
  <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1'
    uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>
  <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='10'
    uri='urn:ietf:params:rtp-hdrext:sdes:mid'/>
  <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='11' name='abc-a0'>
    <ssrc-info xmlns='http://jitsi.org/jitmeet' owner='room@conference.h/abc'/></source>
</description>{TRANSPORT}</content>
<content name='video'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
  <payload-type id='41' name='AV1' clockrate='90000'/>
  <payload-type id='100' name='VP8' clockrate='90000'/>
  <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='21' name='abc-v0'/>
  <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='22' name='abc-v0'/>
  <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>
    <source ssrc='21'/><source ssrc='22'/></ssrc-group>
</description>{TRANSPORT}</content>
<content name='data'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='application'/>
<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='uf' pwd='secret'>
<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5001'/></transport></content>
</jingle>"""


def test_an_offer() -> None:
    offer = parse_media(parse_stanza(OFFER))
    transport = offer.transport
    assert (transport.ufrag, transport.pwd, transport.setup) == ("uf", "secret", "actpass")
    [fingerprint] = transport.fingerprints
    assert (fingerprint.hash, fingerprint.value) == ("sha-256", "AB:CD")
    assert transport.candidates == (
        Candidate("192.0.2.1", 10000, "udp", "host", 9),
        Candidate("2001:db8::1", 10000, "udp", "srflx", 0),
    )
    assert [candidate.version for candidate in transport.candidates] == [4, 6]
    assert transport.web_sockets == ("wss://h/colibri-ws/j/c/e?pwd=p",)
    assert (transport.sctp_port, offer.data) == (5001, "data")
    assert [content.media for content in offer.contents] == ["audio", "video"]


def test_what_is_agreed_to() -> None:
    agreed = agree(parse_media(parse_stanza(OFFER)), ("audio", "video"))
    assert agreed["audio"].codec == Codec(111, "opus", 48000, 2)
    assert agreed["audio"].extensions == {"urn:ietf:params:rtp-hdrext:ssrc-audio-level": 1}
    assert agreed["video"].codec.name == "vp8"


def test_sources_as_elements() -> None:
    assert parse_sources(parse_stanza(OFFER)) == (
        Source(11, "abc-a0", "abc", "audio"),
        Source(21, "abc-v0", "abc", "video"),
        Source(22, "abc-v0", "abc", "video", repairs=True),
    )


def test_sources_as_json() -> None:
    told = (
        '{"sources":{"abc":[[{"s":21,"n":"abc-v0","m":"x y"},{"s":22,"n":"abc-v0"}],'
        '[["f",21,22]],[{"s":11,"n":"abc-a0"}],[]],"def":[[],[],[{"s":31}]]}}'
    )
    jingle = (
        "<jingle xmlns='urn:xmpp:jingle:1' action='source-add'>"
        f"<json-message xmlns='http://jitsi.org/jitmeet'>{told}</json-message></jingle>"
    )
    assert parse_sources(parse_stanza(jingle)) == (
        Source(21, "abc-v0", "abc", "video"),
        Source(22, "abc-v0", "abc", "video", repairs=True),
        Source(11, "abc-a0", "abc", "audio"),
        Source(31, "def-a0", "def", "audio"),
    )


@pytest.mark.parametrize("told", ["", "not json", "[]", '{"sources":{"a":[]}}', '{"sources":[]}'])
def test_json_that_is_not_what_it_should_be(told: str) -> None:
    jingle = (
        "<jingle xmlns='urn:xmpp:jingle:1' action='source-add'>"
        f"<json-message xmlns='http://jitsi.org/jitmeet'>{told}</json-message></jingle>"
    )
    assert parse_sources(parse_stanza(jingle)) == ()
