""".deb files by address, from a web server on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError, PackageError, SpecError
from labctl.images.addressed import fetch_deb
from labctl.images.candidates import load_candidates
from labctl.spec import load_spec
from labctl.spec.addresses import address_problem, parse_address
from tests.repository import build_deb

pytestmark = [pytest.mark.programs, pytest.mark.sockets]
CLOSED = "http://127.0.0.1:9/jicofo.deb"


@dataclass
class Server:
    """A web server, what it serves by path, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    asked: list[Mapping[str, str]] = field(default_factory=list)
    sent: int = 0
    address: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(request.headers))
        data = self.files.get(request.path)
        if data is None:
            request.send_error(404)
            return
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            request.send_response(304)
            request.end_headers()
            return
        request.send_response(200)
        headers = {"Content-Length": str(len(data)), "ETag": tag} | self.headers
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data[: self.cut])
        self.sent += 1


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.address = f"http://127.0.0.1:{web.server_address[1]}"
    try:
        yield found
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


@pytest.fixture
def deb(tmp_path: Path, server: Server) -> bytes:
    data = build_deb(tmp_path, "jicofo", version="1.0-1200-1").read_bytes()
    server.files["/ci/jicofo.deb"] = data
    return data


class Fetch:
    """Fetches one file into a cache of its own, and keeps what is said."""

    def __init__(self, cache: Path, address: str) -> None:
        self.cache, self.address, self.said = cache, address, list[str]()

    def __call__(self, more: str = "", *, force: bool = False) -> Path:
        self.said.clear()
        return fetch_deb(
            f"{self.address}/ci/jicofo.deb{more}",
            cache=self.cache, force=force, progress=self._progress,
        )  # fmt: skip

    def _progress(self, phase: str, message: str, *, node: str | None = None) -> None:
        assert phase == "packages"
        self.said.append(message)


@pytest.fixture
def fetch(tmp_path: Path, server: Server) -> Fetch:
    return Fetch(tmp_path / "cache", server.address)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_size_and_checksum_are_shown(fetch: Fetch, deb: bytes) -> None:
    assert fetch().read_bytes() == deb
    assert fetch.said == [
        f"downloading 'jicofo.deb', {len(deb)} bytes",
        f"'jicofo.deb': {len(deb)} bytes, sha256 {digest(deb)}",
    ]


def test_a_large_file_is_told_in_steps(
    fetch: Fetch, deb: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.images.addressed.CHUNK", len(deb) // 40)
    fetch()
    steps = [line.split(": ")[1] for line in fetch.said if line.endswith("%")]
    assert 7 <= len(steps) <= 10
    assert steps == sorted(steps, key=lambda text: int(text.split()[0]))


def test_what_has_not_changed_is_not_downloaded_again(
    fetch: Fetch, server: Server, deb: bytes
) -> None:
    first = fetch()
    assert fetch() == first
    assert fetch.said == []
    assert fetch(force=True) == first
    assert (server.sent, len(server.asked)) == (1, 3)
    assert fetch.said == [f"'jicofo.deb' has not changed (sha256 {digest(deb)})"]


def test_a_name_with_another_file_is_downloaded_again(
    fetch: Fetch, server: Server, deb: bytes, tmp_path: Path
) -> None:
    fetch()
    newer = build_deb(tmp_path, "jicofo", version="1.0-1201-1").read_bytes()
    server.files["/ci/jicofo.deb"] = newer
    assert fetch().read_bytes() == newer


def test_without_an_etag_the_time_is_asked_for(fetch: Fetch, server: Server, deb: bytes) -> None:
    when = "Sun, 29 Nov 2026 10:00:00 GMT"
    server.headers = {"ETag": "", "Last-Modified": when}
    fetch()
    fetch()
    assert server.asked[1]["If-Modified-Since"] == when


def test_a_silent_server_leaves_the_last_file_unless_it_must_be_asked(
    fetch: Fetch, server: Server, deb: bytes
) -> None:
    first = fetch()
    server.files.clear()
    assert fetch() == first
    assert fetch.said[-1].endswith(
        "the server answers 404 (Not Found); the file of the last time is used"
    )
    with pytest.raises(LabError, match=r"cannot be downloaded: the server answers 404"):
        fetch(force=True)


def test_a_checksum_may_be_asked_for(fetch: Fetch, server: Server, deb: bytes) -> None:
    right, wrong = f"#sha256={digest(deb)}", f"#sha256={'0' * 64}"
    with pytest.raises(PackageError, match=f"has sha256 {digest(deb)}, not 0000"):
        fetch(wrong)
    fetch(right)
    assert server.sent == 2
    fetch(right, force=True)
    assert len(server.asked) == 2
    assert "is here already" in fetch.said[0]


@pytest.mark.parametrize(
    ("data", "headers", "said"),
    [
        (b"<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"}, "is a web page"),
        (b"no package at all", {}, "is not a whole Debian package: it does not start like one"),
        (b"", {}, "is not a whole Debian package: it does not start like one"),
    ],
    ids=["page", "text", "nothing"],
)
def test_what_is_no_package(
    fetch: Fetch, server: Server, data: bytes, headers: dict[str, str], said: str
) -> None:
    server.files["/ci/jicofo.deb"], server.headers = data, headers
    with pytest.raises(LabError) as caught:
        fetch()
    assert said.removesuffix(" one") in caught.value.message
    assert f"{server.address}/ci/jicofo.deb" in caught.value.message
    assert not list(fetch.cache.rglob("*.deb*"))


def test_a_file_that_is_cut_off_on_the_server(fetch: Fetch, server: Server, deb: bytes) -> None:
    server.files["/ci/jicofo.deb"] = deb[:-40]
    with pytest.raises(PackageError, match=rf"cut off after byte {len(deb) - 40}: 'data.tar"):
        fetch()


def test_a_connection_that_ends_too_early(fetch: Fetch, server: Server, deb: bytes) -> None:
    server.cut = 100
    with pytest.raises(LabError, match=rf"the connection ended after 100 of {len(deb)} bytes"):
        fetch()
    assert not list(fetch.cache.rglob("*.deb*"))
    server.cut = None
    assert fetch().read_bytes() == deb


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be downloaded: Connection refused") as caught:
        fetch_deb(CLOSED, cache=tmp_path, force=False, progress=lambda *_, **__: None)
    assert caught.value.hint is not None and "download the file" in caught.value.hint


def test_addresses_and_paths_are_one_set(server: Server, deb: bytes, tmp_path: Path) -> None:
    local = build_deb(tmp_path, "jitsi-videobridge2")
    address = f"{server.address}/ci/jicofo.deb"
    spec, data = load_spec(None, {"packages": f"debs:{address},{local}"})
    assert data["packages"]["files"] == [address, str(local)]
    _, found = load_candidates(
        spec.packages, cache=tmp_path, force=True, progress=lambda *_, **__: None
    )
    assert [(each.name, each.version) for each in found.debs] == [
        ("jicofo", "1.0-1200-1"), ("jitsi-videobridge2", "1.0-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://h/a.deb", "must begin with http(s):// and a host"),
        ("http:///a.deb", "must begin with http(s):// and a host"),
        ("http://u:p@h/a.deb", "must not hold a user or a password"),
        ("http://h/folder/", "must end in .deb"),
        ("http://h/a.deb#md5=0", "may end in '#sha256='"),
        ("http://h/a.deb?job=7", None),
        ("HTTPS://h/a.deb", None),
        ("/a/path.deb", None),
    ],
)
def test_addresses(text: str, said: str | None) -> None:
    problem = address_problem(text)
    assert problem is None if said is None else problem is not None and said in problem


def test_a_bad_address_is_a_problem_of_the_spec() -> None:
    with pytest.raises(SpecError, match=r"--packages: must end in \.deb"):
        load_spec(None, {"packages": "debs:http://ci.lan/artifacts/"})


def test_names_are_read_from_addresses() -> None:
    found = parse_address(f"http://h/x/jicofo_1%3a2.deb?a=b#sha256={'0' * 64}")
    assert (found.url, found.name) == ("http://h/x/jicofo_1%3a2.deb?a=b", "jicofo_1:2.deb")
    assert found.sha256 == "0" * 64
