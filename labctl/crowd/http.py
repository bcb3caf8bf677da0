"""HTTP/1.1 over TLS as a participant needs it: one request after another on a kept connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from labctl.crowd.errors import CrowdError
from labctl.crowd.target import Target

MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What was answered; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def has_token(headers: Mapping[str, str], name: str, token: str) -> bool:
    """Whether a header's list has a token; case does not count (RFC 9110, 7.6.1 and 10.1.4)."""
    return token in (each.strip().lower() for each in headers.get(name, "").split(","))


class HttpLine:
    """A connection to the target, made when it is needed.

    Only one request at a time may be on it.  Errors: CrowdError that says what was asked.
    """

    __slots__ = ("_reader", "_target", "_writer")

    def __init__(self, target: Target) -> None:
        self._target = target
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Open TCP and TLS, if they are not open."""
        target, context = self._target, self._target.context()
        if self._writer is None:
            try:
                self._reader, self._writer = await asyncio.open_connection(
                    str(target.address), target.port, ssl=context, server_hostname=target.domain,
                    limit=MAX_BODY,
                )  # fmt: skip
            except OSError as error:
                where = f"{target.address}:{target.port}"
                raise CrowdError(f"No TLS connection to {where}: {error}.") from error

    async def post(
        self, path: str, body: bytes, *, kind: str, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """POST `body` of content type `kind`."""
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {self._target.domain}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        request = "\r\n".join([*lines, "", ""]).encode() + body
        kept = self._writer is not None
        try:
            return await self._exchange(request)
        except asyncio.IncompleteReadError as error:
            self.cut()
            # A server may close a kept connection at any time; it has then not seen the request.
            if not kept or error.partial:
                raise CrowdError(f"POST {path} was cut off.") from error
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            self.cut()
            raise CrowdError(f"POST {path} failed: {error}.") from error
        try:
            return await self._exchange(request)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.cut()
            raise CrowdError(f"POST {path} failed: {error}.") from error

    def cut(self) -> None:
        """Drop the connection without a word."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            with suppress(RuntimeError):  # the loop may have ended
                writer.close()
                writer.transport.abort()

    async def _exchange(self, request: bytes) -> HttpAnswer:
        await self.connect()
        assert self._reader is not None and self._writer is not None
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if has_token(headers, "transfer-encoding", "chunked"):
            body = await self._chunks(self._reader)
        else:
            size = int(headers.get("content-length", "0"))
            if size > MAX_BODY:
                raise ValueError(f"the answer has {size} bytes")
            body = await self._reader.readexactly(size)
        if has_token(headers, "connection", "close"):
            self.cut()
        words = status.split()
        if len(words) < 2 or not words[1].isdecimal():
            raise ValueError(f"this is not HTTP: {status[:60]!r}")
        return HttpAnswer(int(words[1]), headers, body)

    @staticmethod
    async def _chunks(reader: asyncio.StreamReader) -> bytes:
        """A body in chunks (RFC 9112, 7.1), without trailers."""
        parts: list[bytes] = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            if size + sum(map(len, parts)) > MAX_BODY:
                raise ValueError("the answer does not end")
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readuntil(b"\r\n")
        return b"".join(parts)
