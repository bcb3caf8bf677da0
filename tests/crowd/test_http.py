"""Requests over HTTP, and servers that answer them badly."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.crowd import CrowdError, Target
from labctl.crowd.http import HttpAnswer, HttpLine
from tests.crowd.answering import HERE, Answering, http, play
from tests.crowd.fakexmpp import DOMAIN

pytestmark = pytest.mark.sockets

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ask(folder: Path, server: Answering, *, times: int = 1) -> list[HttpAnswer]:
    """What is answered to some requests on one line."""
    answers: list[HttpAnswer] = []

    async def scene(target: Target) -> None:
        line = HttpLine(target)
        try:
            for number in range(times):
                answers.append(await line.post(f"/{number}", b"body", kind="text/plain"))
        finally:
            line.cut()

    play(folder, server, scene)
    return answers


def test_a_request_has_all_that_http_asks_for(tmp_path: Path) -> None:
    server = Answering([[http()]])

    async def scene(target: Target) -> None:
        line = HttpLine(target)
        await line.post("/p?q", b"<body/>", kind="text/xml", headers={"Authorization": "Bearer x"})
        line.cut()

    play(tmp_path, server, scene)
    head = ["Content-Type: text/xml", "Content-Length: 7", "Authorization: Bearer x"]
    sent = "\r\n".join(["POST /p?q HTTP/1.1", f"Host: {DOMAIN}", *head, "", "<body/>"])
    assert server.requests == [(0, sent.encode())]


def test_an_answer_has_status_headers_and_body(tmp_path: Path) -> None:
    server = Answering([[http(b"no: \xff", "X-Why:  a: b ", status=403)]])
    [answer] = ask(tmp_path, server)
    assert (answer.status, answer.body) == (403, b"no: \xff")
    assert answer.headers == {"content-length": "5", "x-why": "a: b"}


def test_an_answer_without_a_length_has_no_body(tmp_path: Path) -> None:
    [answer] = ask(tmp_path, Answering([[b"HTTP/1.1 204\r\n\r\n"]]))
    assert (answer.status, answer.body) == (204, b"")


def test_a_body_in_chunks(tmp_path: Path) -> None:
    body = b"3;name=value\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
    first, second = ask(tmp_path, Answering([[CHUNKED + body, http(b"next")]]), times=2)
    assert (first.body, second.body) == (b"abc0123456789", b"next")


def test_case_does_not_count_in_what_headers_list(tmp_path: Path) -> None:
    """As nginx and proxies write it, and as a list of several."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    server = Answering([[chunked, http(b"b", "Connection: Foo, Close"), b"late"], [http(b"c")]])
    assert [answer.body for answer in ask(tmp_path, server, times=3)] == [b"a", b"b", b"c"]
    assert [number for number, _ in server.requests] == [0, 0, 1]


def test_requests_share_a_connection(tmp_path: Path) -> None:
    server = Answering([[http(b"a"), http(b"b")]])
    assert [answer.body for answer in ask(tmp_path, server, times=2)] == [b"a", b"b"]
    assert [number for number, _ in server.requests] == [0, 0]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([http(b"a", "Connection: close"), http(b"too late")], id="it says so"),
        pytest.param([http(b"a")], id="it just closes"),
    ],
)
def test_after_a_closed_connection_comes_another(tmp_path: Path, first: list[bytes]) -> None:
    server = Answering([first, [http(b"b")]])
    assert [answer.body for answer in ask(tmp_path, server, times=2)] == [b"a", b"b"]
    assert [number for number, _ in server.requests] == [0, 1]


@pytest.mark.parametrize(
    ("answers", "times", "told"),
    [
        pytest.param([[b""]], 1, "POST /0 was cut off.", id="on a new connection"),
        pytest.param(
            [[http(), b"HTTP/1.1 2"]], 2, "POST /1 was cut off.", id="in the middle of an answer"
        ),
        pytest.param([[http(b"body")[:-1]]], 1, "POST /0 was cut off.", id="in the body"),
    ],
)
def test_a_request_that_may_have_been_read_is_not_sent_again(
    tmp_path: Path, answers: list[list[bytes]], times: int, told: str
) -> None:
    server = Answering([*answers, [http()]])
    with pytest.raises(CrowdError) as caught:
        ask(tmp_path, server, times=times)
    assert caught.value.message == told
    assert isinstance(caught.value.__cause__, EOFError)
    assert server.connections == 1


def test_a_request_is_sent_again_only_once(tmp_path: Path) -> None:
    server = Answering([[http()], [b""], [http()]])
    with pytest.raises(CrowdError, match=r"^POST /1 failed: 0 bytes read"):
        ask(tmp_path, server, times=2)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "this is not HTTP: 'SSH-2.0-OpenSSH'", id="SSH"),
        pytest.param(b"HTTP/1.1 Ok\r\n\r\n", "this is not HTTP", id="no status"),
        pytest.param(b"x" * 99 + b"\r\n\r\n", f"this is not HTTP: '{'x' * 60}'.", id="long words"),
        pytest.param(
            b"HTTP/1.1 200\r\nContent-Length: x\r\n\r\n", "invalid literal", id="no number"
        ),
        pytest.param(CHUNKED + b"x\r\n", "invalid literal", id="a chunk without a size"),
    ],
)
def test_what_is_not_http(tmp_path: Path, answer: bytes, told: str) -> None:
    with pytest.raises(CrowdError) as caught:
        ask(tmp_path, Answering([[answer]]))
    assert caught.value.message.startswith("POST /0 failed: ") and told in caught.value.message
    assert isinstance(caught.value.__cause__, ValueError)


def test_the_first_line_may_lack_its_words(tmp_path: Path) -> None:
    [answer] = ask(tmp_path, Answering([[b"HTTP/1.0 503\r\nContent-Length: 1\r\n\r\nx"]]))
    assert (answer.status, answer.body) == (503, b"x")


@dataclass(frozen=True)
class Sized:
    """An answer of a size, and what is told if that is too much."""

    answer: bytes
    told: str = ""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Sized(http(b"x" * 100)), id="just fits"),
        pytest.param(Sized(http(b"x" * 101), "the answer has 101 bytes"), id="a body"),
        pytest.param(
            Sized(CHUNKED + b"3c\r\n" + b"x" * 60 + b"\r\n28\r\n" + b"x" * 40 + b"\r\n0\r\n\r\n"),
            id="chunks that just fit",
        ),
        pytest.param(
            Sized(CHUNKED + b"3c\r\n" + b"x" * 60 + b"\r\n29\r\n", "does not end"), id="chunks"
        ),
        pytest.param(Sized(b"HTTP/1.1 200 " + b"x" * 200, "exceed"), id="a head"),
    ],
)
def test_an_answer_may_not_be_larger_than_a_body(
    tmp_path: Path, case: Sized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.crowd.http.MAX_BODY", 100)
    server = Answering([[case.answer]])
    if case.told:
        with pytest.raises(CrowdError, match=case.told):
            ask(tmp_path, server)
    else:
        assert ask(tmp_path, server)[0].body == b"x" * 100


def test_a_connection_that_is_reset_is_told_with_its_error(tmp_path: Path) -> None:
    class Resetting(Answering):
        async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

    with pytest.raises(CrowdError, match=r"^POST /0 failed: .*reset") as caught:
        ask(tmp_path, Resetting([]))
    assert isinstance(caught.value.__cause__, ConnectionResetError)


def test_nobody_listens(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        with socket.socket() as taken:
            taken.bind((HERE, 0))
            target.port = taken.getsockname()[1]
            told = rf"^No TLS connection to 127\.0\.0\.2:{target.port}: .*failed"
            with pytest.raises(CrowdError, match=told) as caught:
                await HttpLine(target).post("/", b"", kind="text/xml")
            assert isinstance(caught.value.__cause__, OSError)

    play(tmp_path, Answering([]), scene)


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async def scene(target: Target) -> None:
        target.domain = "other.lab.internal"
        with pytest.raises(CrowdError, match=r"^No TLS connection .*certificate"):
            await HttpLine(target).connect()

    play(tmp_path, Answering([]), scene)


def test_a_line_can_be_cut_after_its_loop_has_ended(tmp_path: Path) -> None:
    lines: list[HttpLine] = []

    async def scene(target: Target) -> None:
        lines.append(HttpLine(target))
        await lines[0].post("/", b"", kind="text/xml")

    play(tmp_path, Answering([[http()]]), scene)
    lines[0].cut()
    lines[0].cut()
