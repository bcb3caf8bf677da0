"""What can be wrong with media, as values: the stage that failed and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.crowd.errors import CrowdError


class MediaStage(StrEnum):
    """Where media can fail, in the order in which a participant gets there."""

    OFFER = "offer"
    """The bridge offers nothing that can be checked (TCP only, no candidates)."""
    CODECS = "codecs"
    """There is no codec that both sides have."""
    BLOCKED = "blocked here"
    """This machine itself refuses to send: its own firewall, or no route."""
    RELAY = "TURN"
    """The TURN server is silent or refuses."""
    NO_ANSWER = "no answer"
    """Checks of ICE stay without an answer."""
    WRONG_CREDENTIALS = "wrong credentials"
    """The other side answers checks, but its credentials are not those of the Jingle."""
    DTLS = "DTLS"
    """ICE works, the DTLS handshake does not come to its end."""
    FINGERPRINT = "fingerprint"
    """DTLS's certificate is not the one that the Jingle announced."""
    NO_PACKETS = "no packets"
    """ICE and DTLS work, and no media arrives."""
    CHANNEL = "bridge channel"
    """The channel for messages does not open, or nobody answers on it."""


class MediaProblem(CrowdError):
    """Media does not pass: names the bridge, the address, the port and the stage that failed."""

    def __init__(
        self,
        stage: MediaStage,
        *,
        detail: str,
        bridge: str = "",
        address: str = "",
        port: int = 0,
        media: str = "",
        hint: str = "",
    ) -> None:
        where = f" {render_address(address, port)}" if address else ""
        who = f"bridge '{bridge}'" if bridge else "the bridge"
        super().__init__(f"No media through {who}{where}: {stage}: {detail}.", hint=hint)
        self.stage, self.detail = stage, detail
        self.bridge, self.address, self.port = bridge, address, port
        self.media = media

    def with_bridge(self, name: str) -> MediaProblem:
        """The same with the bridge's name, which only those above know."""
        return MediaProblem(
            self.stage,
            detail=self.detail,
            bridge=name,
            address=self.address,
            port=self.port,
            media=self.media,
            hint=self.hint or "",
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """One candidate of a bridge, checked on its own."""

    address: str
    port: int
    protocol: str
    kind: str
    """host, srflx, relay, or prflx for one that showed itself."""
    stage: MediaStage | None
    """What failed; None where it answered."""
    detail: str = ""
    seconds: float | None = None
    """From the check that was answered to its answer."""
    chosen: bool = False
    """Media takes this way."""

    @property
    def reachable(self) -> bool:
        return self.stage is None

    def __str__(self) -> str:
        state = "reachable" if self.stage is None else f"{self.stage}: {self.detail}"
        return f"{render_address(self.address, self.port)}/{self.protocol} {state}"

    def problem(self, bridge: str) -> MediaProblem:
        """Why this candidate cannot be reached; only for one that cannot."""
        assert self.stage is not None
        return MediaProblem(
            self.stage,
            detail=f"{self.detail} ({self.protocol}, candidate of type '{self.kind}')",
            bridge=bridge,
            address=self.address,
            port=self.port,
        )


def render_address(address: str, port: int) -> str:
    """Address and port as URLs write them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
