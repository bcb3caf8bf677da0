"""A server that means harm: participants without browsers end with an error in words, soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from ipaddress import IPv4Address
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labctl.core.waiting import NO_PATIENCE
from labctl.crowd import Options, Target
from labctl.crowd.errors import CrowdError
from labctl.crowd.http import HttpLine
from labctl.crowd.inbox import Inbox
from labctl.crowd.recorder import Recorder
from labctl.crowd.websocket import WebSocket, WebSocketError
from labctl.crowd.xml import NotXml, parse_stanza

Within = Callable[[], AbstractContextManager[None]]
TARGET = Target(IPv4Address("127.0.0.1"), 443, "m", Path("ca.crt"), lambda address: None)


# XMPP.

NAMESPACES = (
    *("jabber:client", "http://jitsi.org/jitmeet", "urn:xmpp:jingle:1", "urn:xmpp:ping", ""),
    *("http://jabber.org/protocol/muc#user", "http://jabber.org/protocol/disco#info"),
    *("urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:rtp:1", "http://x"),
    *("http://jitsi.org/jitmeet/video", "http://jitsi.org/protocol/colibri2", "urn:xmpp:delay"),
)
TAGS = (
    *("x", "item", "status", "error", "text", "jingle", "content", "description", "transport"),
    *("candidate", "fingerprint", "source", "ssrc-group", "parameter", "conference-properties"),
    *("property", "query", "ping", "mute", "body", "nick", "json-message", "reason", "conference"),
    *("bridge-session", "visitors-promotion-response", "payload-type", "web-socket", "rtcp-mux"),
)
ATTRIBUTES = (
    *("from", "id", "type", "to", "role", "affiliation", "code", "jid", "action", "sid", "name"),
    *("ssrc", "port", "ip", "priority", "component", "key", "value", "media", "senders", "url"),
    *("hash", "setup", "foundation", "generation", "allow", "username", "creator", "semantics"),
)
VALUES = (
    *("room@m/focus", "room@m", "focus", "session-initiate", "session-terminate", "transport-info"),
    *("source-add", "error", "unavailable", "set", "110", "-1", "9" * 30, "1e9", "", "audio"),
    *("video", "NaN", "\u0661", "true", "false", "sha-256", "AA:BB", "wss://[::1", "0x10", " "),
)
attributes = st.dictionaries(
    st.sampled_from(ATTRIBUTES), st.one_of(st.sampled_from(VALUES), st.text(max_size=5)), max_size=4
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    tag, space = draw(st.sampled_from(TAGS)), draw(st.sampled_from(NAMESPACES))
    words = " ".join(f"{name}={quoteattr(it)}" for name, it in draw(attributes).items())
    inner = draw(st.lists(elements(depth - 1), max_size=3)) if depth else []
    said = draw(st.sampled_from(["", "text", "{", "[1]", "true", "null"]))
    return f"<{tag} xmlns={quoteattr(space)} {words}>{said}{''.join(inner)}</{tag}>"


@st.composite
def stanzas(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["presence", "message", "iq"]))
    words = " ".join(f"{name}={quoteattr(it)}" for name, it in draw(attributes).items())
    inner = "".join(draw(st.lists(elements(), max_size=4)))
    return f"<{kind} xmlns='jabber:client' {words}>{inner}</{kind}>"


@given(texts=st.lists(st.one_of(stanzas(), st.text(max_size=40)), max_size=6))
@example(texts=["<a>" * 100_000])
@example(texts=["<iq xmlns='jabber:client'>" + "<a>" * 50_000 + "</a>" * 50_000 + "</iq>"])
@example(
    texts=["<presence xmlns='jabber:client' from='room@m/x'>" + "<x/>" * 50_000 + "</presence>"]
)
def test_a_stanza_is_taken_or_ends_the_stream(texts: list[str], within: Within) -> None:
    """`Stream` ends itself at these errors; anything else would be a traceback in the loop."""
    recorder = Recorder("abcd", NO_PATIENCE)
    inbox = Inbox(TARGET, recorder, Options(notes=True))
    inbox.room_jid = "room@m"
    with within():
        for text in texts:
            try:
                inbox.take(parse_stanza(text))
            except (NotXml, ValueError, KeyError, IndexError, TypeError):
                return


def test_entities_do_not_grow() -> None:
    laughs = "".join(f'<!ENTITY l{n + 1} "&l{n};&l{n};">' for n in range(30))
    with pytest.raises(NotXml, match="document type"):
        parse_stanza(f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l30;</x>')


# WebSocket.


@given(data=st.lists(st.binary(max_size=300), max_size=5))
@example(data=[b"\x89\x00" * 8192])
@example(data=[b"\x81\x7f\x7f" + b"\xff" * 7])
@example(data=[b"\x01\x00" + b"\x00\x00" * 8192])
@example(data=[b"\x88\x01x"])
def test_frames(data: list[bytes], within: Within) -> None:
    for upgraded in (True, False):
        line = WebSocket()
        line.request("m", "/")
        if upgraded:
            line._key, line.open = None, True
        with within():
            try:
                for each in data:
                    line.receive(each)
            except WebSocketError:
                pass


# HTTP.

HEADS = (
    *("HTTP/1.1 200 OK", "HTTP/1.1", "HTTP/1.1 abc", "200", "", "HTTP/1.1 " + "9" * 5000),
    *(
        "Content-Length: -1",
        "Content-Length: 99999999999",
        "Content-Length: x",
        "Content-Length: 3",
    ),
    *("Transfer-Encoding: chunked", "Connection: close", ": ", "a" * 70_000),
)
BODIES = (
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"-3\r\nabc",
    b"ffffffff\r\n",
    b"zz\r\n",
    b"",
    b"\r\n\r\n",
)


class Nobody:
    """A connection to which one can only write."""

    transport = property(lambda self: self)

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Line(HttpLine):
    """A connection on which each request is answered alike; no socket."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(TARGET)
        self.answer = answer

    async def connect(self) -> None:
        if self._writer is None:
            self._reader = asyncio.StreamReader(limit=4 << 20)
            self._reader.feed_data(self.answer)
            self._reader.feed_eof()
            self._writer = Nobody()  # type: ignore[assignment]


async def post(answer: bytes) -> None:
    """A request on a fresh connection, and another on the one that is kept."""
    line = Line(answer)
    for _ in range(2):
        await line.post("/http-bind", b"x", kind="text/xml")


@given(
    heads=st.lists(st.one_of(st.sampled_from(HEADS), st.text(max_size=9)), max_size=4),
    body=st.one_of(st.sampled_from(BODIES), st.binary(max_size=60)),
)
@example(heads=["HTTP/1.1"], body=b"")
@example(heads=["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], body=b"ffffffffff\r\n")
@example(heads=["x" * (5 << 20)], body=b"")
def test_answers_of_http(heads: list[str], body: bytes, within: Within) -> None:
    answer = "\r\n".join([*heads, "", ""]).encode("utf-8", "replace") + body
    with within():
        try:
            asyncio.run(post(answer))
        except CrowdError as error:
            assert error.message
