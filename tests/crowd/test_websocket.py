"""Our client's half of WebSocket against another implementation's server half, and bad servers."""

from __future__ import annotations

import random

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from labctl.crowd.websocket import MAX_HEAD, MAX_MESSAGE, NO_CODE, WebSocket, WebSocketError

XMPP = Subprotocol("xmpp")


def upgraded() -> tuple[WebSocket, ServerProtocol]:
    """A client and a server after the upgrade."""
    client, server = WebSocket(), ServerProtocol(subprotocols=[XMPP])
    server.receive_data(client.request("meet.lab.internal", "/xmpp-websocket?room=r"))
    [request] = server.events_received()
    assert isinstance(request, Request) and request.path == "/xmpp-websocket?room=r"
    server.send_response(server.accept(request))
    assert client.receive(b"".join(server.data_to_send())) == []
    assert client.open and server.subprotocol == "xmpp"
    return client, server


def from_server(*frames: tuple[Opcode, bytes, bool]) -> bytes:
    data = (Frame(opcode, text, fin=fin).serialize(mask=False) for opcode, text, fin in frames)
    return b"".join(data)


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65535, 65536, 200_000])
def test_messages_of_every_size_both_ways(size: int) -> None:
    client, server = upgraded()
    text = bytes(random.Random(size).randrange(32, 127) for _ in range(size))
    server.receive_data(client.text(text))
    [frame] = server.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.data, frame.fin) == (Opcode.TEXT, text, True)
    server.send_text(text)
    assert client.receive(b"".join(server.data_to_send())) == [text]


@pytest.mark.parametrize("seed", range(20))
def test_however_the_bytes_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    client, server = WebSocket(), ServerProtocol(subprotocols=[XMPP])
    server.receive_data(client.request("h", "/p"))
    [request] = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    expected = [b"x" * chance.choice([0, 1, 125, 126, 300, 70_000]) for _ in range(5)]
    for text in expected:
        half = chance.randrange(len(text) + 1)
        server.send_text(text[:half], fin=False)
        server.send_ping(b"between")
        server.send_continuation(text[half:], fin=True)
    data, found = b"".join(server.data_to_send()), []
    while data:
        size = chance.choice([1, 2, 3, 100, 5000])
        found += client.receive(data[:size])
        data = data[size:]
    assert found == expected
    assert len(client.out) == 5, "every ping is answered"


def test_pings_are_answered_with_their_text() -> None:
    client, server = upgraded()
    server.send_ping(b"alive?")
    client.receive(b"".join(server.data_to_send()))
    server.receive_data(b"".join(client.out))
    [pong] = server.events_received()
    assert isinstance(pong, Frame) and pong.data == b"alive?"


def test_a_ping_may_have_125_bytes() -> None:
    client, _ = upgraded()
    client.receive(from_server((Opcode.PING, b"x" * 125, True)))
    assert len(client.out) == 1


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
def test_only_pings_are_answered_and_only_while_it_is_open(opcode: Opcode) -> None:
    client, _ = upgraded()
    if opcode is Opcode.PING:
        client.close()
    assert client.receive(from_server((opcode, b"x", True))) == []
    assert client.out == []


def test_the_server_closes() -> None:
    client, server = upgraded()
    server.send_close(1001, "going away")
    client.receive(b"".join(server.data_to_send()))
    assert (client.close_code, client.close_reason, client.open) == (1001, "going away", False)
    server.receive_data(b"".join(client.out))
    assert server.close_rcvd is not None and server.close_rcvd.code == 1000


def test_the_reason_of_a_close_may_be_no_text() -> None:
    client, _ = upgraded()
    client.receive(from_server((Opcode.CLOSE, (1008).to_bytes(2) + b"no \xff", True)))
    assert (client.close_code, client.close_reason) == (1008, "no \ufffd")


def test_the_client_closes() -> None:
    client, server = upgraded()
    server.receive_data(client.close())
    client.receive(b"".join(server.data_to_send()))
    assert (client.close_code, client.out, client.open) == (1000, [], False)


def test_a_close_without_a_code() -> None:
    client, _ = upgraded()
    assert client.receive(from_server((Opcode.CLOSE, b"", True))) == []
    assert client.close_code == NO_CODE


ACCEPT = b"Sec-WebSocket-Accept: nonsense\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP 502", id="no vnode behind nginx"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "is not HTTP", id="another protocol"),
        pytest.param(b"HTTP/1.1\r\n\r\n", "is not HTTP/1.1: 'HTTP/1.1'", id="no status"),
        pytest.param(b"HTTP/1.0 101 Ok\r\n\r\n", "is not HTTP/1.1", id="an older HTTP"),
        pytest.param(b"x" * 99 + b"\r\n\r\n", f": '{'x' * 60}'$", id="a long line"),
        pytest.param(b"HTTP/1.1 101\r\n\r\n", "'upgrade' is ''", id="no words"),
        pytest.param(
            b"HTTP/1.1 101 Ok\r\nUpgrade: h2c:1\r\n\r\n", "is 'h2c:1'", id="another upgrade"
        ),
        pytest.param(b"HTTP/1.1 101 Ok\r\n\r\n", "'upgrade' is ''", id="no upgrade"),
        pytest.param(
            b"HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\n" + ACCEPT + b"\r\n",
            "sec-websocket-accept",
            id="an accept for another key",
        ),
        pytest.param(
            b"HTTP/1.1 101 Ok\r\nUpgrade: WebSocket\r\n\r\n",
            "'sec-websocket-accept' is ''",
            id="the upgrade in other letters",
        ),
        pytest.param(b"x" * 20_000, "has no end", id="a head without end"),
    ],
)
def test_an_upgrade_that_is_refused(answer: bytes, words: str) -> None:
    client = WebSocket()
    client.request("h", "/p")
    with pytest.raises(WebSocketError, match=words):
        client.receive(answer)


def test_the_head_of_an_answer_may_come_in_parts_up_to_a_size() -> None:
    client = WebSocket()
    client.request("h", "/p")
    assert client.receive(b"x" * MAX_HEAD) == []
    with pytest.raises(WebSocketError, match="has no end"):
        client.receive(b"x")


def test_who_asks_for_no_subprotocol_gets_none() -> None:
    client, server = WebSocket(""), ServerProtocol()
    server.receive_data(client.request("h", "/p"))
    [request] = server.events_received()
    assert isinstance(request, Request)
    assert "Sec-WebSocket-Protocol" not in request.headers
    server.send_response(server.accept(request))
    assert client.receive(b"".join(server.data_to_send())) == [] and client.open


def test_a_server_without_the_subprotocol() -> None:
    client, server = WebSocket(), ServerProtocol()
    server.receive_data(client.request("h", "/p"))
    [request] = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    with pytest.raises(WebSocketError, match="sec-websocket-protocol"):
        client.receive(b"".join(server.data_to_send()))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(from_server((Opcode.BINARY, b"\0", True)), "binary", id="binary"),
        pytest.param(from_server((Opcode.CONT, b"x", True)), "do not make up", id="no beginning"),
        pytest.param(
            from_server((Opcode.TEXT, b"x", False), (Opcode.TEXT, b"y", True)),
            "do not",
            id="two beginnings",
        ),
        pytest.param(b"\xc1\x00", "not negotiated", id="a reserved bit"),
        pytest.param(b"\x81\x81\0\0\0\0x", "not negotiated", id="a masked frame"),
        pytest.param(b"\x83\x00", "kind 3", id="an unknown opcode"),
        pytest.param(b"\x09\x00", "kind 9", id="a ping in parts"),
        pytest.param(b"\x89\x7e\0\x7e" + b"x" * 126, "kind 9", id="a long ping"),
        pytest.param(b"\x81\x7f" + (MAX_MESSAGE + 1).to_bytes(8), "larger", id="too large"),
        pytest.param(
            from_server((Opcode.PING, b"", True)) + b"\xff\xff", "not negotiated", id="then garbage"
        ),
    ],
)
def test_a_server_that_breaks_the_protocol(data: bytes, words: str) -> None:
    client, _ = upgraded()
    with pytest.raises(WebSocketError, match=words):
        client.receive(data)


def test_parts_may_not_add_up_to_more_than_a_message() -> None:
    client, _ = upgraded()
    part = b"x" * (MAX_MESSAGE // 2 + 1)
    client.receive(from_server((Opcode.TEXT, part, False)))
    with pytest.raises(WebSocketError, match="larger"):
        client.receive(from_server((Opcode.CONT, part, True)))


def test_every_part_counts_for_the_size_of_a_message() -> None:
    client, _ = upgraded()
    half = b"x" * (MAX_MESSAGE // 2)
    client.receive(from_server((Opcode.TEXT, half, False), (Opcode.CONT, half, False)))
    with pytest.raises(WebSocketError, match="larger"):
        client.receive(from_server((Opcode.CONT, b"x", False)))


def test_a_message_in_parts_leaves_all_the_room_to_the_next_one() -> None:
    client, _ = upgraded()
    client.receive(from_server((Opcode.TEXT, b"a", False), (Opcode.CONT, b"b", True)))
    largest = b"x" * MAX_MESSAGE
    assert client.receive(from_server((Opcode.TEXT, largest, True))) == [largest]
