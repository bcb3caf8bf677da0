"""Jicofo's offers as they are read, and the answers to them without media."""

from __future__ import annotations

import secrets

import pytest

from labctl.crowd import jingle
from labctl.crowd.xml import (
    DTLS,
    GROUPING,
    ICE_UDP,
    JINGLE,
    RTP,
    SSMA,
    Element,
    child,
    parse_stanza,
)


def test_what_an_offer_says_of_itself() -> None:
    offer = jingle.parse_offer(
        parse_stanza(
            f"<jingle xmlns='{JINGLE}' sid='s' initiator='focus@a/f'>"
            "<bridge-session xmlns='http://jitsi.org/protocol/focus' id='b1' region='lab'/>"
            f"<content name='data'/><content name='2'><description xmlns='{RTP}' media='video'/>"
            f"</content><content name='audio'><description xmlns='{RTP}'/></content></jingle>"
        )
    )
    assert (offer.sid, offer.initiator) == ("s", "focus@a/f")
    assert (offer.bridge_session, offer.region) == ("b1", "lab")
    assert offer.contents == (("data", "data"), ("2", "video"), ("audio", "audio"))


@pytest.mark.parametrize(
    "bridge", ["", "<bridge-session xmlns='http://jitsi.org/protocol/focus'/>"]
)
def test_an_offer_without_particulars(bridge: str) -> None:
    offer = jingle.parse_offer(
        parse_stanza(f"<jingle xmlns='{JINGLE}'>{bridge}<content/></jingle>")
    )
    assert offer == jingle.Offer("", "", "", "", (("", ""),))


OFFER = jingle.Offer(
    "s1", "focus@a/f", "b1", "lab", (("a", "audio"), ("d", "application"), ("v", "video"))
)


def accepted(*, audio_sources: int = 0) -> Element:
    text = jingle.render_accept(OFFER, jid="me@b/c", nick="n", audio_sources=audio_sources)
    return parse_stanza(text)


def test_an_accept_names_the_session_and_both_sides() -> None:
    accept = accepted()
    assert accept.tag == f"{{{JINGLE}}}jingle"
    assert accept.attrib == {
        "action": "session-accept", "initiator": "focus@a/f", "responder": "me@b/c", "sid": "s1",
    }  # fmt: skip


def test_an_accept_bundles_its_contents_on_one_transport() -> None:
    accept = accepted()
    group = child(accept, GROUPING, "group")
    assert group is not None and group.attrib == {"semantics": "BUNDLE"}
    assert [(one.tag, one.attrib) for one in group] == [
        (f"{{{GROUPING}}}content", {"name": "a"}),
        (f"{{{GROUPING}}}content", {"name": "v"}),
    ]
    contents = accept.findall(f"{{{JINGLE}}}content")
    assert [one.attrib for one in contents] == [
        {"creator": "initiator", "name": name, "senders": "both"} for name in ("a", "v")
    ]
    transports = [child(one, ICE_UDP, "transport") for one in contents]
    for one in transports:
        assert one is not None and transports[0] is not None
        assert one.attrib == transports[0].attrib
        assert [len(one.get(name, "")) for name in ("ufrag", "pwd")] == [8, 22], "RFC 8445, 5.3"
        mux, fingerprint = one
        assert mux.tag == f"{{{ICE_UDP}}}rtcp-mux"
        assert fingerprint.tag == f"{{{DTLS}}}fingerprint"
        assert fingerprint.attrib == {"hash": "sha-256", "setup": "active"}
        assert fingerprint.text == jingle.FINGERPRINT


def test_an_accept_takes_one_codec_for_each_kind_of_media() -> None:
    sound, picture = accepted().iter(f"{{{RTP}}}description")
    assert (sound.attrib, picture.attrib) == ({"media": "audio"}, {"media": "video"})
    assert [one.tag for one in sound] == [f"{{{RTP}}}payload-type", f"{{{RTP}}}rtcp-mux"]
    opus = {"id": "111", "name": "opus", "clockrate": "48000", "channels": "2"}
    assert sound[0].attrib == opus
    assert picture[0].attrib == {"id": "100", "name": "VP8", "clockrate": "90000"}


def test_own_sources_are_sound_only_and_have_names() -> None:
    sound, picture = accepted(audio_sources=2).iter(f"{{{RTP}}}description")
    own = sound.findall(f"{{{SSMA}}}source")
    assert [one.get("name") for one in own] == ["n-a0", "n-a1"]
    assert len({one.get("ssrc") for one in own}) == 2
    [msid] = own[0]
    assert msid.tag == f"{{{SSMA}}}parameter"
    assert msid.attrib == {"name": "msid", "value": "n-a0 n-a0-track"}
    assert picture.findall(f"{{{SSMA}}}source") == []


@pytest.mark.parametrize(("lowest", "ssrc"), [(True, "1"), (False, str(2**32 - 2))])
def test_the_number_of_a_source_is_never_0_and_has_32_bits(
    lowest: bool, ssrc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda limit: 0 if lowest else limit - 1)
    [source] = accepted(audio_sources=1).iter(f"{{{SSMA}}}source")
    assert source.get("ssrc") == ssrc


@pytest.mark.parametrize("words", ["", "<text/>"])
def test_an_end_without_words(words: str) -> None:
    session = f"<jingle xmlns='{JINGLE}'><reason><gone/>{words}</reason></jingle>"
    assert jingle.parse_reason(parse_stanza(session)) == ("gone", "")
