"""Stanzas from text and to text: one complete element per WebSocket frame (RFC 7395, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
STREAM = "http://etherx.jabber.org/streams"
CLIENT = "jabber:client"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SM = "urn:xmpp:sm:3"
PING = "urn:xmpp:ping"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"
MUC = "http://jabber.org/protocol/muc"
MUC_USER = "http://jabber.org/protocol/muc#user"
NICK = "http://jabber.org/protocol/nick"
DELAY = "urn:xmpp:delay"
FOCUS = "http://jitsi.org/protocol/focus"
JITMEET = "http://jitsi.org/jitmeet"
DISPLAY_NAME = "http://jitsi.org/protocol/display-name"
VISITORS = "jitsi:visitors"
JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
ICE_UDP = "urn:xmpp:jingle:transports:ice-udp:1"
GROUPING = "urn:xmpp:jingle:apps:grouping:0"

Element = ElementTree.Element


class NotXml(ValueError):
    """The server sent something that is not one XML element."""


def parse_stanza(text: str) -> Element:
    """One frame as an element; NotXml where it is not well-formed or brings a DTD."""
    if "<!DOCTYPE" in text:
        raise NotXml("it has a document type (RFC 6120, 11.1 forbids that)")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise NotXml(str(error)) from None


def element(
    name: str, attributes: Mapping[str, str | None] | None = None, *children: str, ns: str = ""
) -> str:
    """An element as text; attributes that are None are left out, `children` are XML already."""
    words = [name]
    if ns:
        words.append(f"xmlns={quoteattr(ns)}")
    for key, value in (attributes or {}).items():
        if value is not None:
            words.append(f"{key}={quoteattr(value)}")
    head = " ".join(words)
    body = "".join(children)
    return f"<{head}>{body}</{name}>" if body else f"<{head}/>"


def text(words: str) -> str:
    """Character data."""
    return escape(words)


def local(tag: str) -> str:
    """`{namespace}name` without its namespace."""
    return tag.rpartition("}")[2]


def child(parent: Element, namespace: str, name: str) -> Element | None:
    return parent.find(f"{{{namespace}}}{name}")


def error_of(stanza: Element) -> tuple[str, str]:
    """Defined condition and text of an error stanza or stream error."""
    error = child(stanza, CLIENT, "error")
    condition, words = "undefined-condition", ""
    for item in error if error is not None else stanza:
        namespace = item.tag[1:].partition("}")[0]
        if namespace not in (STANZAS, STREAMS, SASL):
            continue
        if local(item.tag) == "text":
            words = item.text or ""
        else:
            condition = local(item.tag)
    return condition, words
