"""One session with a bridge: sockets, ICE, DTLS, SRTP; from a session-initiate to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pylibsrtp import Error as SrtpError

from labctl.crowd.media.agent import CONSENT_LOST, Agent
from labctl.crowd.media.check import Address, Path
from labctl.crowd.media.dtls import Dtls, own_certificate
from labctl.crowd.media.offer import Candidate, Fingerprint, Transport
from labctl.crowd.media.options import Relay
from labctl.crowd.media.problem import MediaProblem, MediaStage, Reach
from labctl.crowd.media.rtp import is_rtcp
from labctl.crowd.media.sockets import UdpSocket
from labctl.crowd.target import Target

if TYPE_CHECKING:
    from labctl.crowd.media.relay import RelayPath


@dataclass(frozen=True, slots=True)
class Local:
    """What the session-accept tells the bridge of this side's transport.

    No candidates: browsers hide theirs (as mDNS names, which bridges do not resolve), so a bridge
    learns of a client by the client's checks.  One that told its address would be found by a
    bridge whose own address is wrong, and a lab would call well what fails for everybody.
    """

    ufrag: str
    pwd: str
    setup: str
    fingerprint: Fingerprint


class Session:
    """Packets of one bridge.  `on_rtp` and `on_rtcp` get them in the clear, with the time;
    `on_lost` is called when a bridge that was connected no longer answers."""

    __slots__ = (
        "_agent", "_consent", "_dtls", "_ice_at", "_on_lost", "_on_rtcp", "_on_rtp", "_relay",
        "_relayed", "_sockets", "_target", "_transport", "closed", "connected_at", "spoiled",
    )  # fmt: skip

    def __init__(
        self,
        transport: Transport,
        *,
        on_rtp: Callable[[bytes, int, float], None],
        on_rtcp: Callable[[bytes, float], None],
        on_lost: Callable[[], None],
        target: Target,
        relay: Relay | None = None,
    ) -> None:
        self._transport, self._target = transport, target
        self._on_rtp, self._on_rtcp, self._on_lost = on_rtp, on_rtcp, on_lost
        self._relay = relay
        self._relayed: RelayPath | None = None
        self._agent = Agent(transport)
        self._dtls = Dtls(
            own_certificate(),
            client=transport.setup != "active",
            fingerprints=transport.fingerprints,
            send=self._agent.send,
        )
        self._sockets: dict[int, UdpSocket] = {}
        self._consent: asyncio.Task[None] | None = None
        self._ice_at: float | None = None
        self.connected_at: float | None = None
        self.closed = False
        self.spoiled = 0
        """Packets that SRTP refused: replayed, or not from the bridge."""

    def open(self) -> Local:
        """Bind sockets; what the session-accept has to say."""
        versions = {c.version for c in self._transport.candidates if c.protocol == "udp"}
        for version in sorted(version for version in versions if version):
            try:
                self._sockets[version] = UdpSocket(version, self._on_datagram)
            except OSError:
                continue  # no IPv6 here; the candidate's outcome says it
        return Local(
            ufrag=self._agent.ufrag,
            pwd=self._agent.pwd,
            setup="active" if self._dtls.client else "passive",
            fingerprint=own_certificate().fingerprint,
        )

    async def connect(self, within: float) -> None:
        """ICE, then DTLS; MediaProblem names where it ended."""
        try:
            async with asyncio.timeout(self._target.patience.scaled(within)):
                await self._allocate()
                self.check(self._transport.candidates)
                await self._agent.connect()
                self._ice_at = time.monotonic()
                await self._dtls.handshake()
        except TimeoutError:
            raise self.problem() from None
        except MediaProblem as problem:
            raise self.located(problem) from None
        self.connected_at = time.monotonic()
        loop = asyncio.get_running_loop()
        self._consent = loop.create_task(self._agent.keep_consent(self._on_lost))

    async def _allocate(self) -> None:
        if self._relay is not None:
            from labctl.crowd.media.relay import RelayPath

            path = RelayPath(self._on_datagram)
            await path.open(self._target, self._relay)
            self._relayed = path

    def check(self, candidates: tuple[Candidate, ...]) -> None:
        """Check these as well: those of a transport-info come later."""
        if not self.closed:
            allowed = (each for each in candidates if self._target.may_send(each.address))
            self._agent.check(allowed, self._path)

    def _path(self, version: int) -> Path | None:
        if self._relay is not None:
            return self._relayed if version == 4 else None
        return self._sockets.get(version)

    def problem(self) -> MediaProblem:
        """Why it is not connected."""
        if self._ice_at is None:
            return self._agent.problem()
        detail = f"no answer to the handshake, sent {1 + self._dtls.retransmissions} times"
        return self.located(MediaProblem(MediaStage.DTLS, detail=detail))

    def located(self, problem: MediaProblem) -> MediaProblem:
        """The problem with the address that media takes."""
        if problem.address:
            return problem
        address, port = self.remote or ("", 0)
        return MediaProblem(problem.stage, detail=problem.detail, address=address, port=port)

    @property
    def remote(self) -> Address | None:
        """The bridge's address that media takes."""
        check = self._agent.selected
        return check.address if check is not None else None

    def lost(self) -> MediaProblem | None:
        """What is wrong while a bridge that was connected does not answer."""
        unanswered = self._agent.consent_lost
        if self.connected_at is None or unanswered < CONSENT_LOST:
            return None
        detail = f"it was connected, and has not answered {unanswered} checks since"
        return self.located(MediaProblem(MediaStage.NO_ANSWER, detail=detail))

    def reaches(self) -> tuple[Reach, ...]:
        return self._agent.reaches()

    async def answered(self, deadline: float) -> tuple[Reach, ...]:
        return await self._agent.answered(deadline)

    # Packets.

    def _on_datagram(self, datagram: bytes, source: Address, path: Path) -> None:
        """By the first byte (RFC 7983, 7)."""
        first = datagram[0]
        if 128 <= first <= 191:
            self._on_protected(datagram)
        elif first < 4:
            self._agent.receive(datagram, source, path)
        elif 20 <= first <= 63:
            self._dtls.receive(datagram)

    def _on_protected(self, datagram: bytes) -> None:
        if self.connected_at is None:
            return  # the keys are not agreed on yet
        now = time.monotonic()
        try:
            if is_rtcp(datagram):
                self._on_rtcp(self._dtls.unprotect_rtcp(datagram), now)
            else:
                self._on_rtp(self._dtls.unprotect(datagram), len(datagram), now)
        except SrtpError:
            self.spoiled += 1

    def send_rtp(self, packet: bytes) -> bytes:
        """Protect and send; returns what went out, to be repeated as it was."""
        datagram = self._dtls.protect(packet)
        self._agent.send(datagram)
        return datagram

    def send_again(self, datagram: bytes) -> None:
        self._agent.send(datagram)

    def send_rtcp(self, packet: bytes) -> None:
        self._agent.send(self._dtls.protect_rtcp(packet))

    @property
    def dtls(self) -> Dtls:
        """What a data channel runs over."""
        return self._dtls

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._dtls.close()
        if self._consent is not None:
            self._consent.cancel()
        self._agent.close()
        if self._relayed is not None:
            self._relayed.close()
        for bound in self._sockets.values():
            bound.close()
