"""What both Python stand-ins share: log lines, HOCON values, stanzas, SASL, stream management."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.standins import paths  # noqa: F401

import hocon  # isort: skip
import jitsilog  # isort: skip
import sasl  # isort: skip
import smacks  # isort: skip
import stanzas  # isort: skip

# The head of a line of the originals (docs/facts/jicofo-log.md, 1).
HEAD = re.compile(
    r"^(Jicofo|JVB) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) "
    r"(SEVERE|WARNING|INFO|CONFIG|FINE\w*): \[(\d+)\] (?:\[([^\]]*)\] )?(\S+): (.*)$"
)


def test_log_line_with_context() -> None:
    line = jitsilog.render_line(
        "Jicofo", time.mktime((2026, 8, 20, 12, 0, 0, 0, 0, -1)) + 0.125, "INFO",
        {"room": "r1@conference.x", "meeting_id": "1234"}, "A.b#1", "Member joined:ab", thread=34,
    )  # fmt: skip
    assert line == (
        "Jicofo 2026-08-20 12:00:00.125 INFO: [34] [room=r1@conference.x meeting_id=1234] "
        "A.b#1: Member joined:ab"
    )
    match = HEAD.match(line)
    assert match is not None and match[5] == "room=r1@conference.x meeting_id=1234"


def test_log_line_without_context() -> None:
    line = jitsilog.render_line("JVB", 0.0, "SEVERE", {}, "X.y#2", "no")
    match = HEAD.match(line)
    assert match is not None and match[5] is None and match[7] == "no"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10 seconds", 10.0), ("1 minute", 60.0), ("500ms", 0.5), (5000, 5.0), ("PT", None),
     ("2 h", 7200.0), (True, None)],
)  # fmt: skip
def test_durations(text: hocon.Json, seconds: float | None) -> None:
    if seconds is None:
        with pytest.raises(hocon.ConfigError):
            hocon.parse_duration(text)
    else:
        assert hocon.parse_duration(text) == seconds


def test_wrong_value_names_its_key() -> None:
    config = hocon.Config({"jicofo": {"rest": {"port": "many"}}})
    with pytest.raises(hocon.ConfigError, match=r"jicofo\.rest\.port"):
        config.whole("jicofo.rest.port", 1)


def test_null_is_the_default() -> None:
    assert hocon.Config({"a": {"b": None}}).text("a.b", "c") == "c"


def test_config_path_from_java_properties() -> None:
    default = Path("/d")
    assert hocon.config_path("-Dx=y -Dconfig.file=/a/b.conf -Dz", default) == Path("/a/b.conf")
    assert hocon.config_path("-Dx=y", default) == default


def test_properties() -> None:
    assert hocon.parse_properties("# no\norg.a.B = c\\:1\n\nbroken\n") == {"org.a.B": "c:1"}


def test_render_uses_default_namespaces_only() -> None:
    element = stanzas.iq("get", "a@b/c", stanzas.el("urn:x", "q", {"k": "<'&\n"}, "t<"), id="1")
    assert stanzas.render_xml(element) == (
        "<iq type='get' to='a@b/c' id='1'><q xmlns='urn:x' k='&lt;&apos;&amp;&#10;'>t&lt;</q></iq>"
    )


def test_reader_splits_a_stream_anywhere() -> None:
    text = (
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
        f"xmlns:stream='{stanzas.STREAM}' id='7'><presence from='a/b'><x xmlns='u'>é</x></presence>"
        "<iq type='result' id='2'/></stream:stream>"
    ).encode()
    reader = stanzas.StanzaReader()
    found, closed = [], False
    for at in range(len(text)):
        some, closed = reader.feed(text[at : at + 1])
        found += some
    assert [stanzas.local(stanza) for stanza in found] == ["presence", "iq"]
    assert found[0][0].text == "é"
    assert closed
    assert reader.header is not None and reader.header.get("id") == "7"


def test_error_round_trip() -> None:
    request = stanzas.iq("get", "me", id="3")
    request.set("from", "you/r")
    answer = stanzas.iq_error(request, "item-not-found", "gone")
    assert answer.get("to") == "you/r"
    assert stanzas.parse_error(answer) == ("item-not-found", "gone")


def test_scram_against_the_example_of_rfc_5802() -> None:
    scram = sasl.Scram("user", "pencil", digest="sha1", nonce="fyko+d2lbbFgONRv9qkxdawL")
    assert scram.initial() == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    nonce = "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    final = scram.challenge(f"r={nonce},s=QSXCR+Q6sek8bf92,i=4096".encode())
    assert final == f"c=biws,r={nonce},p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=".encode()
    scram.success(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
    with pytest.raises(sasl.SaslError):
        scram.success(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")


@pytest.mark.parametrize(
    ("offered", "password", "name"),
    [({"PLAIN", "SCRAM-SHA-1"}, "x", "SCRAM-SHA-1"), ({"PLAIN"}, "x", "PLAIN"),
     ({"ANONYMOUS", "PLAIN"}, None, "ANONYMOUS")],
)  # fmt: skip
def test_mechanism(offered: set[str], password: str | None, name: str) -> None:
    assert sasl.choose_mechanism(offered, "u", password).name == name


def test_stream_management_keeps_what_is_not_acknowledged() -> None:
    sm = smacks.StreamManagement()
    assert not sm.sent("early")
    sm.start("id1")
    asked = [sm.sent(str(number)) for number in range(7)]
    assert asked == [False, False, False, False, True, False, False]
    sm.acknowledged(5)
    assert sm.unacknowledged() == ["5", "6"]
    sm.forget()
    assert not sm.can_resume and sm.unacknowledged() == []
