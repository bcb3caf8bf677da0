"""The way through a TURN server (RFC 8656), for a participant whose UDP does not reach the bridge.

The protocol is aioice's.  Credentials are those that Prosody hands out to every client (XEP-0215).
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aioice import stun
from aioice.turn import TurnTransport, create_turn_endpoint

from labctl.crowd.errors import CrowdError
from labctl.crowd.media.check import Address
from labctl.crowd.media.options import Relay, RelayKind
from labctl.crowd.media.problem import MediaProblem, MediaStage
from labctl.crowd.media.sockets import OnDatagram
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import Element, element

SERVICES = "urn:xmpp:extdisco:2"
ASK = element("services", ns=SERVICES)
_KINDS = {
    RelayKind.UDP: ("turn", "udp"),
    RelayKind.TCP: ("turn", "tcp"),
    RelayKind.TLS: ("turns", "tcp"),
}


def parse_relay(iq: Element, kind: RelayKind) -> Relay | None:
    """The TURN server of this kind in an answer to `ASK`; None where there is none."""
    for item in iq.iter(f"{{{SERVICES}}}service"):
        if (item.get("type"), item.get("transport")) == _KINDS[kind]:
            return Relay(
                kind,
                int(item.get("port") or 3478),
                item.get("username", ""),
                item.get("password", ""),
            )
    return None


async def ask_relay(stream: Stream, kind: RelayKind, *, domain: str) -> Relay:
    """Which TURN server there is, with credentials for a day; CrowdError where there is none."""
    what = "The question for TURN servers"
    answer = await stream.request("get", ASK, to=domain, what=what)
    relay = parse_relay(answer, kind)
    if relay is None:
        raise CrowdError(
            f"Prosody names no TURN server that is reached by {kind}.",
            hint="Does the lab have one ('turn = on' in lab.conf)?",
        )
    return relay


class _Named(ssl.SSLContext):
    """TLS that verifies a name although the connection is made to an address: nobody asks a name
    server for the lab's domain."""

    name = ""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **{**options, "server_hostname": self.name})


class RelayPath(asyncio.DatagramProtocol):
    """A `Path`: what is sent on it comes out at the relay's address."""

    def __init__(self, on_datagram: OnDatagram) -> None:
        self._on_datagram = on_datagram
        self._transport: TurnTransport | None = None

    async def open(self, target: Target, relay: Relay) -> None:
        """Get an allocation; MediaProblem where the server is silent or refuses."""
        server = (str(target.address), relay.port)
        try:
            self._transport, _ = await create_turn_endpoint(
                lambda: self,
                server_addr=server,
                username=relay.username,
                password=relay.password,
                ssl=_context(target) if relay.kind.secured else None,
                transport=relay.kind.transport,
            )
        except stun.TransactionTimeout:
            detail = f"TURN by {relay.kind} does not answer"
            raise MediaProblem(
                MediaStage.RELAY, detail=detail, address=server[0], port=relay.port
            ) from None
        except (OSError, stun.TransactionError) as error:
            detail = f"TURN by {relay.kind}: {error}"
            raise MediaProblem(
                MediaStage.RELAY, detail=detail, address=server[0], port=relay.port
            ) from None

    def send(self, datagram: bytes, to: Address) -> None:
        if self._transport is not None:
            self._transport.sendto(datagram, to)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # What the loop calls.

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if data:
            self._on_datagram(data, (addr[0], addr[1]), self)

    def error_received(self, exc: Exception) -> None:
        """A channel was refused; the checks that stay without an answer say what of it."""


def _context(target: Target) -> ssl.SSLContext:
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(target.ca_file))
    context.name = target.domain
    if target.keys is not None:
        context.keylog_filename = str(target.keys)
    return context
