"""Building, writing and reading XMPP stanzas as ElementTree elements; no I/O.

Written by hand rather than by `ElementTree.tostring`, which invents prefixes (`ns0:iq`) and
is slow; peers of the originals have only ever seen default namespaces.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import cast
from xml.sax.saxutils import escape

Element = ET.Element

CLIENT = "jabber:client"
STREAM = "http://etherx.jabber.org/streams"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
SM = "urn:xmpp:sm:3"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"
PING = "urn:xmpp:ping"
VERSION = "jabber:iq:version"
DATA = "jabber:x:data"
MUC = "http://jabber.org/protocol/muc"
MUC_USER = MUC + "#user"
MUC_ADMIN = MUC + "#admin"
MUC_OWNER = MUC + "#owner"
COLIBRI = "http://jitsi.org/protocol/colibri"
COLIBRI2 = "jitsi:colibri2"
FOCUS = "http://jitsi.org/protocol/focus"
HEALTHCHECK = "http://jitsi.org/protocol/healthcheck"
JITMEET = "http://jitsi.org/jitmeet"
JINGLE = "urn:xmpp:jingle:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
RTP_HDREXT = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
RTCP_FB = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
ICE = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
DTLS_SCTP = "urn:xmpp:jingle:transports:dtls-sctp:1"
GROUPING = "urn:xmpp:jingle:apps:grouping:0"
VISITORS = "jitsi:visitors"

_ERROR_TYPES = {
    "bad-request": "modify", "not-acceptable": "modify", "jid-malformed": "modify",
    "forbidden": "auth", "not-authorized": "auth",
    "resource-constraint": "wait", "recipient-unavailable": "wait",
}  # fmt: skip


def el(
    ns: str, name: str, attrs: Mapping[str, str] | None = None, *children: Element | str
) -> Element:
    """An element in namespace `ns`; text children become its text."""
    made = ET.Element("{" + ns + "}" + name, dict(attrs or {}))
    for child in children:
        if isinstance(child, str):
            made.text = (made.text or "") + child
        else:
            made.append(child)
    return made


def split_tag(tag: str) -> tuple[str, str]:
    """Namespace and local name of a Clark-notation tag."""
    if tag[0] == "{":
        ns, _, name = tag[1:].partition("}")
        return ns, name
    return "", tag


def local(element: Element) -> str:
    """The local name of an element."""
    return element.tag.rpartition("}")[2]


def find(element: Element, ns: str, name: str) -> Element | None:
    """The first child with that namespace and name."""
    return element.find("{" + ns + "}" + name)


def find_all(element: Element, ns: str, name: str) -> list[Element]:
    """All children with that namespace and name."""
    return element.findall("{" + ns + "}" + name)


def render_xml(element: Element, *, parent_ns: str = CLIENT) -> str:
    """The element as text, default namespaces only."""
    parts: list[str] = []
    _write(element, parent_ns, parts)
    return "".join(parts)


def _attribute(value: str) -> str:
    if "&" in value or "<" in value or "'" in value or ">" in value:
        value = escape(value, {"'": "&apos;"})
    if "\n" in value or "\t" in value:
        value = value.replace("\n", "&#10;").replace("\t", "&#9;")
    return value


def _write(element: Element, parent_ns: str, parts: list[str]) -> None:
    ns, name = split_tag(element.tag)
    parts.append("<" + name)
    if ns != parent_ns:
        parts.append(f" xmlns='{_attribute(ns)}'")
    for key, value in element.attrib.items():
        if key[0] == "{":
            key = "xml:" + split_tag(key)[1]
        parts.append(f" {key}='{_attribute(value)}'")
    if not len(element) and not element.text:
        parts.append("/>")
        return
    parts.append(">")
    if element.text:
        parts.append(escape(element.text))
    for child in element:
        _write(child, ns, parts)
        if child.tail:
            parts.append(escape(child.tail))
    parts.append(f"</{name}>")


def iq(kind: str, to: str | None, *children: Element, id: str | None = None) -> Element:
    """An IQ of `kind` (get, set, result, error)."""
    attrs = {"type": kind}
    if to is not None:
        attrs["to"] = to
    if id is not None:
        attrs["id"] = id
    return el(CLIENT, "iq", attrs, *children)


def iq_result(request: Element, *children: Element) -> Element:
    """The result that answers `request`."""
    return iq("result", request.get("from"), *children, id=request.get("id"))


def error_element(condition: str, text: str | None = None, *extra: Element) -> Element:
    """An `error` child with a defined condition (RFC 6120, 8.3)."""
    error = el(CLIENT, "error", {"type": _ERROR_TYPES.get(condition, "cancel")})
    error.append(el(STANZA_ERRORS, condition))
    if text:
        error.append(el(STANZA_ERRORS, "text", None, text))
    error.extend(extra)
    return error


def iq_error(request: Element, condition: str, text: str | None = None, *extra: Element) -> Element:
    """The error that answers `request`."""
    return iq(
        "error", request.get("from"), error_element(condition, text, *extra), id=request.get("id")
    )


def parse_error(stanza: Element) -> tuple[str, str]:
    """Condition and text of an error stanza; empty strings when it carries none."""
    error = find(stanza, CLIENT, "error")
    condition = text = ""
    for child in error if error is not None else ():
        ns, name = split_tag(child.tag)
        if ns == STANZA_ERRORS and name == "text":
            text = child.text or ""
        elif ns == STANZA_ERRORS:
            condition = name
    return condition, text


def bare(jid: str) -> str:
    """The JID without its resource."""
    return jid.partition("/")[0]


def resource(jid: str) -> str:
    """The resource of a JID, empty when it has none."""
    return jid.partition("/")[2]


def normalise(jid: str) -> str:
    """The JID with its bare part case-folded, which is nodeprep for the names a lab uses."""
    head, slash, tail = jid.partition("/")
    return head.lower() + slash + tail


class StanzaReader:
    """Turns the bytes of one XML stream into its header and its stanzas."""

    def __init__(self) -> None:
        self._parser: ET.XMLPullParser[Element] = ET.XMLPullParser(("start", "end"))
        self._depth = 0
        self._root: Element | None = None

    @property
    def header(self) -> Element | None:
        """The stream's opening element, once it has arrived."""
        return self._root

    def feed(self, data: bytes) -> tuple[list[Element], bool]:
        """Stanzas completed by `data`, and whether the stream's closing tag was among it.

        Raises `xml.etree.ElementTree.ParseError` when the peer does not send XML.
        """
        self._parser.feed(data)
        done: list[Element] = []
        closed = False
        for event, element in cast(Iterator[tuple[str, Element]], self._parser.read_events()):
            if event == "start":
                self._depth += 1
                if self._root is None:
                    self._root = element
                continue
            self._depth -= 1
            if self._depth == 1 and self._root is not None:
                self._root.remove(element)
                element.tail = None
                done.append(element)
            elif self._depth == 0:
                closed = True
        return done, closed
