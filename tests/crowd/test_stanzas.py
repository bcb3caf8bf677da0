"""Stanzas to text and back, caps, Jingle: values in, values out."""

from __future__ import annotations

import pytest

from labctl.crowd import conference, jingle
from labctl.crowd.caps import verification
from labctl.crowd.xml import JINGLE, NotXml, child, element, error_of, local, parse_stanza, text


def test_verification_string_of_the_standard() -> None:
    """XEP-0115, 5.2: the simple generation example and its result."""
    features = [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/muc",
    ]
    identity = ("client", "pc", "", "Exodus 0.9.1")
    assert verification([identity], features) == "QgayPKawpkPSDYmwT/WM94uAlu0="


@pytest.mark.parametrize(
    ("attributes", "children", "ns", "expected"),
    [
        (None, [], "", "<a/>"),
        ({"b": None, "c": "x<\"'"}, [], "n", '<a xmlns="n" c="x&lt;&quot;\'"/>'),
        (None, ["1 &lt; 2"], "", "<a>1 &lt; 2</a>"),
        (None, ["", "<b/>", "<c/>"], "", "<a><b/><c/></a>"),
    ],
)
def test_element(
    attributes: dict[str, str | None] | None, children: list[str], ns: str, expected: str
) -> None:
    made = element("a", attributes, *children, ns=ns)
    assert made == expected
    parse_stanza(made)


def test_text_has_no_markup_left() -> None:
    assert text("1 < 2 & 3 > 2") == "1 &lt; 2 &amp; 3 &gt; 2"


@pytest.mark.parametrize("tag", ["name", "{urn:n}name"])
def test_local_names(tag: str) -> None:
    assert local(tag) == "name"


@pytest.mark.parametrize(
    "frame",
    ["", "words", "<a>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a b=c/>", "<x:a/>", "<a>&nbsp;</a>"],
)
def test_what_is_not_a_stanza(frame: str) -> None:
    with pytest.raises(NotXml):
        parse_stanza(frame)


def test_a_document_type_is_named_as_the_reason() -> None:
    with pytest.raises(NotXml, match=r"document type \(RFC 6120, 11\.1"):
        parse_stanza("<!DOCTYPE a><a/>")


def test_what_is_not_well_formed_is_told_with_its_place() -> None:
    with pytest.raises(NotXml, match=r"mismatched tag: line 1, column 5"):
        parse_stanza("<a></b>")


XMPP = "urn:ietf:params:xml:ns:xmpp"
STANZA_ERROR = (
    "<iq xmlns='jabber:client' type='error'><query xmlns='n'/><error type='cancel'>{}</error></iq>"
)
STREAM_ERROR = "<e:error xmlns:e='http://etherx.jabber.org/streams'>{}</e:error>"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            STANZA_ERROR.format(
                f"<not-allowed xmlns='{XMPP}-stanzas'/><text xmlns='{XMPP}-stanzas'>members</text>"
            ),
            ("not-allowed", "members"),
            id="stanza",
        ),
        pytest.param(
            STANZA_ERROR.format(f"<conflict xmlns='{XMPP}-stanzas'/><special xmlns='urn:app'/>"),
            ("conflict", ""),
            id="a condition of an application beside it",
        ),
        pytest.param(
            STANZA_ERROR.format(
                f"<special xmlns='urn:app'/><gone xmlns='{XMPP}-stanzas'/>"
                f"<text xmlns='{XMPP}-stanzas'/>"
            ),
            ("gone", ""),
            id="an empty text",
        ),
        pytest.param(
            STREAM_ERROR.format(f"<host-unknown xmlns='{XMPP}-streams'/>"),
            ("host-unknown", ""),
            id="stream",
        ),
        pytest.param(
            f"<failure xmlns='{XMPP}-sasl'><not-authorized/><text>no</text></failure>",
            ("not-authorized", "no"),
            id="login",
        ),
    ],
)
def test_errors(told: str, expected: tuple[str, str]) -> None:
    assert error_of(parse_stanza(told)) == expected


def test_errors_without_a_known_condition() -> None:
    assert error_of(parse_stanza("<iq xmlns='jabber:client' type='error'/>")) == (
        "undefined-condition",
        "",
    )


def test_presence_of_oneself() -> None:
    seen = conference.parse_presence(
        parse_stanza(
            "<presence xmlns='jabber:client' from='r@m/n'><x xmlns='"
            "http://jabber.org/protocol/muc#user'><item role='visitor' affiliation='none'/>"
            "<status code='110'/></x></presence>"
        )
    )
    assert (seen.nick, seen.role, seen.statuses) == ("n", "visitor", {"110"})


def test_destroyed_room() -> None:
    seen = conference.parse_presence(
        parse_stanza(
            "<presence xmlns='jabber:client' type='unavailable' from='r@m/n'><x xmlns='"
            "http://jabber.org/protocol/muc#user'><item role='none' affiliation='none'/>"
            "<destroy><reason>Conference ended.</reason></destroy></x></presence>"
        )
    )
    assert (seen.kind, seen.reason) == ("unavailable", "room destroyed: Conference ended.")


@pytest.mark.parametrize(
    ("allow", "expected"), [("true", (True, "u-1")), ("false", (False, "u-1"))]
)
def test_promotion(allow: str, expected: tuple[bool, str]) -> None:
    iq = parse_stanza(
        "<iq xmlns='jabber:client' type='set'><visitors xmlns='jitsi:visitors'>"
        f"<promotion-response allow='{allow}' username='u-1'/></visitors></iq>"
    )
    assert conference.parse_promotion(iq) == expected


def test_an_accept_answers_the_offer() -> None:
    session = parse_stanza(
        f"<jingle xmlns='{JINGLE}' action='session-initiate' sid='s' initiator='i'>"
        "<content name='audio'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>"
        "</content><content name='video'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
        "media='video'/></content><content name='data'><description "
        "xmlns='urn:xmpp:jingle:apps:rtp:1' media='application'/></content></jingle>"
    )
    offer = jingle.parse_offer(session)
    assert offer.contents == (("audio", "audio"), ("video", "video"), ("data", "application"))
    accept = parse_stanza(jingle.render_accept(offer, jid="a@b/c", nick="n", audio_sources=1))
    contents = [item.get("name") for item in accept.findall(f"{{{JINGLE}}}content")]
    assert (accept.get("sid"), accept.get("responder"), contents) == (
        "s",
        "a@b/c",
        ["audio", "video"],
    )
    assert child(accept, JINGLE, "reason") is None


def test_reason_of_an_end() -> None:
    session = parse_stanza(
        f"<jingle xmlns='{JINGLE}' action='session-terminate' sid='s'>"
        "<reason><expired/><text>Idle session timeout</text></reason></jingle>"
    )
    assert jingle.parse_reason(session) == ("expired", "Idle session timeout")
    assert jingle.parse_reason(parse_stanza(f"<jingle xmlns='{JINGLE}'/>")) == ("", "")
