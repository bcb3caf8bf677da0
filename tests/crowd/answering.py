"""A server over TLS that gives prepared answers, however wrong they are."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from labctl.crowd import Target
from tests.crowd.fakexmpp import DOMAIN, write_certificates

HERE = "127.0.0.2"
"""On loopback, but not what 'localhost' is."""


def http(body: bytes = b"", *headers: str, status: int = 200) -> bytes:
    """An answer with a body of known size."""
    lines = [f"HTTP/1.1 {status} All is well", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Answering:
    """By connection, the answers to the requests on it; after the last one it is closed."""

    answers: list[list[bytes]]
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    """Connection (from 0) and the whole request."""
    connections: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.connections = self.connections, self.connections + 1
        try:
            for answer in self.answers[number]:
                head = await reader.readuntil(b"\r\n\r\n")
                size = re.search(rb"Content-Length: (\d+)", head)
                body = await reader.readexactly(int(size[1])) if size else b""
                self.requests.append((number, head + body))
                writer.write(answer)
            await writer.drain()
        except (OSError, EOFError):
            pass  # the client has gone
        finally:
            writer.close()


@asynccontextmanager
async def answering(server: Answering, folder: Path) -> AsyncIterator[Target]:
    """The server on a free port of loopback, and the target that leads to it."""
    ca_file, pem = write_certificates(folder / "answering")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    async with await asyncio.start_server(server.handle, HERE, 0, ssl=context) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield Target(IPv4Address(HERE), port, DOMAIN, ca_file, prove=lambda _: None)


def play(folder: Path, server: Answering, scene: Callable[[Target], Awaitable[None]]) -> None:
    """Run a scene with the server."""

    async def main() -> None:
        async with asyncio.timeout(10), answering(server, folder) as target:
            await scene(target)

    asyncio.run(main())
