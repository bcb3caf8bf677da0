"""A small HTTP server for the page: read-only, a bounded number of connections, no log.

The standard library's server is enough: its users are a few tabs that ask every two seconds.
"""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from labctl import __version__
from labctl.core.errors import LabError
from labctl.core.webpage import HEADERS
from labctl.live.guard import Listen, refusal
from labctl.live.site import Body, Site

MOST_CONNECTIONS = 64
"""Each has a thread; further ones are closed at once."""
IDLE_SECONDS = 20.0
TEXT = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Serves a site on an address until it is shut down."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, listen: Listen, site: Site) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        self.site = site
        self.closed = False
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((listen.host, listen.port), Handler)
        self.listen = Listen(listen.host, self.server_address[1])

    def server_bind(self) -> None:
        """Without the question for this machine's name, which may take seconds and is of no use."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def server_close(self) -> None:
        """Listen no longer; connections that are open end with their next question."""
        self.closed = True
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is nothing to tell."""


class Handler(BaseHTTPRequestHandler):
    """One connection; everything but GET and HEAD is refused."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.send_error(405)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_POST

    def version_string(self) -> str:
        return f"labctl/{__version__}"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: the lab's own logs are on the page."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """An error in plain text that repeats nothing of the request."""
        self.close_connection = True  # a body that may follow is not read
        words = {403: "Refused.", 404: "Nothing is here.", 405: "This page can only be read."}
        said = " ".join(part for part in (words.get(code, "Error."), explain) if part)
        self._send(code, Body(TEXT, f"{said}\n".encode()))

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.server.closed:
            return self.send_error(503)
        if self.headers.get_all("host", [""])[1:]:
            return self.send_error(403, explain="It is addressed to two servers.")
        if why := refusal(headers, listen=self.server.listen):
            return self.send_error(403, explain=why)
        try:
            body = self.server.site.find(urlsplit(self.path).path)
        except (LabError, OSError, ValueError):
            # A file of the lab that goes in this moment, or a path that is none.
            return self.send_error(500)
        if body is None:
            return self.send_error(404)
        self._send(200, body)

    def _send(self, code: int, body: Body) -> None:
        self.send_response(code)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", body.kind)
        self.send_header("Content-Length", str(len(body.data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.data)


def open_server(listen: Listen, site: Site) -> Server:
    """A server that listens already.  Errors: LabError if the port is taken or not allowed."""
    try:
        return Server(listen, site)
    except OSError as error:
        raise LabError(
            f"Nothing can listen on {listen.host} port {listen.port}: {error.strerror}.",
            hint="Use another port: 'labctl serve --listen 8057', or 0 for any that is free.",
        ) from error
