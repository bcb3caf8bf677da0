"""Who gets an answer, and what no answer lacks."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.webpage import HEADERS
from labctl.live import server as module
from labctl.live.guard import Listen, parse_listen, refusal
from labctl.live.model import Snapshot
from labctl.live.server import Server, open_server
from labctl.live.site import Site
from labctl.topology.workdir import Workdir
from tests.live.make import FakeSource, make_snapshot
from tests.live.serving import serving

LOOPBACK = Listen("127.0.0.1", 8056)
EVERYBODY = Listen("0.0.0.0", 8056)


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("8057", Listen("127.0.0.1", 8057)),
        ("127.0.0.1", LOOPBACK),
        ("localhost:0", Listen("127.0.0.1", 0)),
        ("[::1]:8057", Listen("::1", 8057)),
        ("127.0.0.2:1", Listen("127.0.0.2", 1)),
    ],
)
def test_places_on_this_machine(text: str, listen: Listen) -> None:
    assert parse_listen(text, allow_others=False) == listen


@pytest.mark.parametrize("text", ["0.0.0.0:8056", "192.168.1.2", "[::]:1"])
def test_places_that_others_reach_must_be_meant(text: str) -> None:
    with pytest.raises(UsageError, match="everybody who reaches this machine"):
        parse_listen(text, allow_others=False)
    assert not parse_listen(text, allow_others=True).is_loopback


@pytest.mark.parametrize("text", ["", "example.org:80", "::1", "127.0.0.1:99999", "[::1", "a b"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        parse_listen(text, allow_others=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8056", "localhost:8056", "LOCALHOST:8056", "[::1]:8056"]
)
def test_names_of_this_machine(host: str) -> None:
    assert refusal({"host": host}, listen=LOOPBACK) == ""


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8056",
        "127.0.0.1.evil.example:8056",
        "localhost.evil.example:8056",
        "192.168.1.2:8056",
        "127.0.0.1:8057",
        "127.0.0.1",
        "",
        "127.0.0.1:8056@evil.example",
        "[::1]evil:8056",
    ],
)
def test_a_strangers_name_is_refused(host: str) -> None:
    """A name of somebody else may lead to this machine (DNS rebinding)."""
    assert refusal({"host": host}, listen=LOOPBACK)
    assert refusal({}, listen=LOOPBACK)


def test_for_others_only_addresses_count() -> None:
    assert refusal({"host": "192.168.1.2:8056"}, listen=EVERYBODY) == ""
    assert refusal({"host": "evil.example:8056"}, listen=EVERYBODY)


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ({"origin": "http://127.0.0.1:8056"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://127.0.0.1:9999"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
    ],
)
def test_other_pages_are_refused(headers: Mapping[str, str], *, answered: bool) -> None:
    found = refusal({"host": "127.0.0.1:8056", **headers}, listen=LOOPBACK)
    assert (found == "") is answered


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "exercise.md").write_text("Do it.")
    with serving(FakeSource([make_snapshot()]), tmp_path) as found:
        yield found


def ask(
    server: Server, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    link = http.client.HTTPConnection("127.0.0.1", server.listen.port, timeout=10)
    try:
        link.request(method, path, headers=dict(headers or {}))
        answer = link.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        link.close()


sockets = pytest.mark.sockets


@sockets
@pytest.mark.parametrize("path", ["/", "/app.js", "/style.css", "/api/state", "/nothing"])
def test_every_answer_has_the_headers(server: Server, path: str) -> None:
    _, headers, _ = ask(server, path)
    assert HEADERS.items() <= headers.items()
    assert not [name for name in headers if name.startswith("Access-Control")]
    assert "unsafe" not in headers["Content-Security-Policy"]


@sockets
def test_state_and_records(server: Server) -> None:
    state = json.loads(ask(server, "/api/state?x=1")[2])
    assert state["snapshot"] == json.loads(json.dumps(make_snapshot().to_json()))
    assert state["words"]["bridge jvb1"] == "operational"
    records = json.loads(ask(server, "/api/records")[2])
    assert records["exercise"] == "Do it." and records["mark"] == state["records"]


@sockets
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_can_only_be_read(server: Server, method: str) -> None:
    code, headers, text = ask(server, "/api/state", method=method)
    assert code == 405 and "snapshot" not in text
    assert headers["Connection"] == "close"


@sockets
@pytest.mark.parametrize("path", ["/../guard.py", "/..%2fguard.py", "//etc/passwd", "/index.html"])
def test_there_is_nothing_else(server: Server, path: str) -> None:
    code, _, text = ask(server, path)
    assert (code, text) == (404, "Nothing is here.\n")


@sockets
@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
)
@pytest.mark.parametrize("path", ["/", "/api/state", "/api/records"])
def test_strangers_get_nothing(server: Server, path: str, headers: Mapping[str, str]) -> None:
    code, _, text = ask(server, path, headers=headers)
    assert code == 403 and "evil" not in text and "lab" not in text


@sockets
def test_two_hosts_are_refused(server: Server) -> None:
    """A proxy and this server may take different ones for the right one."""
    port = server.listen.port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        own = f"Host: 127.0.0.1:{port}\r\n"
        link.sendall(f"GET / HTTP/1.1\r\n{own}Host: evil.example\r\n\r\n".encode())
        assert link.recv(64).startswith(b"HTTP/1.1 403 ")


@sockets
def test_what_goes_wrong_is_an_answer(tmp_path: Path) -> None:
    """The page then says that what it shows is old, and the next question is answered again."""

    class Failing(FakeSource):
        def snapshot(self) -> Snapshot:
            if self.shown == 0:
                self.shown = 1
                raise LabError("'/home/somebody/secret' is gone.")
            return FakeSource.snapshot(self)

    with serving(Failing([make_snapshot()]), tmp_path) as server:
        code, _, text = ask(server, "/api/state")
        assert (code, text) == (500, "Error.\n")
        assert ask(server, "/api/state")[0] == 200


@sockets
def test_head_has_no_body(server: Server) -> None:
    code, headers, text = ask(server, "/", method="HEAD")
    assert (code, text) == (200, "") and int(headers["Content-Length"]) > 0


@sockets
def test_connections_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens more than there are threads for is hung up on; a free place is used again."""
    links = []
    for _ in range(module.MOST_CONNECTIONS + 5):
        links.append(socket.create_connection(("127.0.0.1", server.listen.port), timeout=10))
    assert links[-1].recv(1) == b""
    threads = [it for it in threading.enumerate() if "process_request" in it.name]
    assert len(threads) <= module.MOST_CONNECTIONS
    for link in links:
        link.close()
    for _ in range(100):
        try:
            assert ask(server, "/")[0] == 200
            break
        except OSError:
            continue
    else:
        pytest.fail("no place has become free")


@sockets
def test_many_tabs_cost_one_snapshot(tmp_path: Path) -> None:
    source = FakeSource([make_snapshot()])
    with serving(source, tmp_path, poll_seconds=60) as server:
        for _ in range(20):
            ask(server, "/api/state")
    assert source.shown <= 3


@sockets
def test_a_port_that_is_taken_is_named(server: Server, tmp_path: Path) -> None:
    site = Site(FakeSource([make_snapshot()]), Workdir(tmp_path))
    with pytest.raises(LabError, match=f"Nothing can listen on .* port {server.listen.port}"):
        open_server(server.listen, site)


def test_records_hold_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "exercise.md").write_text("The password is geheim-1234.")
    source = FakeSource([make_snapshot()])
    hidden = Site(source, Workdir(tmp_path), secrets=frozenset({"geheim-1234"}))
    body = hidden.find("/api/records")
    assert body is not None and json.loads(body.data)["exercise"] == "The password is [secret]."
    unknown = Site(source, Workdir(tmp_path), secrets=None).find("/api/records")
    assert unknown is not None and json.loads(unknown.data)["exercise"] == ""
