"""The page's server on loopback, with a lab that was made up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.live.guard import Listen
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
