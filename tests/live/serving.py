"""The page's server on loopback, with a lab that was made up; and its files, as nginx has them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from labctl.core.webpage import HEADERS
from labctl.live.guard import Listen
from labctl.live.publish import INDEX, RECORDS, STATE
from labctl.live.server import Server, open_server
from labctl.live.site import Site
from labctl.live.source import Source
from labctl.topology.workdir import Workdir


@contextmanager
def serving(source: Source, folder: Path, *, poll_seconds: float = 0.1) -> Iterator[Server]:
    """A server that answers while this is open; `folder` is the lab's."""
    site = Site(source, Workdir(folder), poll_seconds=poll_seconds)
    with open_server(Listen("127.0.0.1", 0), site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


class Files(SimpleHTTPRequestHandler):
    """Answers as the location /lab/ of the JMS's nginx does (`nginx-site.conf.j2`)."""

    extensions_map: ClassVar = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return self.extensions_map.get(Path(path).suffix, "application/json")

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


@dataclass(frozen=True)
class Shown:
    """The class's page, where it is, and its files."""

    url: str
    folder: Path

    def age(self, seconds: float) -> None:
        """As if the state had been written so long ago."""
        at = time.time() - seconds
        os.utime(self.folder / STATE[1:], (at, at))

    def replace_by_a_room(self) -> None:
        """What nginx does below /lab/ once the files are gone: the web application's page."""
        state = self.folder / STATE[1:]
        state.unlink()
        state.mkdir()
        (state / "index.html").write_text("<!doctype html>")


@contextmanager
def as_files(source: Source, folder: Path) -> Iterator[Shown]:
    """The page as files below /lab/ while this is open; `folder` is the lab's."""
    site, root = Site(source, Workdir(folder), poll_seconds=0.1), folder / "class" / "lab"
    (root / "api").mkdir(parents=True)
    for path in (*site.files, STATE, RECORDS):
        body = site.find(path)
        assert body is not None
        (root / ("index.html" if path == INDEX else path[1:])).write_bytes(body.data)
    handler = partial(Files, directory=str(root.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Shown(f"http://127.0.0.1:{server.server_address[1]}/lab/", root)
        finally:
            server.shutdown()
            thread.join(10)
